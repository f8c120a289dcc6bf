"""The sources in their order: the first verified address wins, and each is paid at most once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.domain import asking
from mcp_enrichment.service.domain.outcomes import (
    Pause,
    Refused,
    fitting,
    outcome_of,
    values_of,
)
from mcp_enrichment.service.domain.privacy import is_address_suppressed
from mcp_enrichment.service.domain.verdicts import Answered, judge, wins
from mcp_enrichment.service.sources.port import Hit, Miss, is_vendor
from mcp_enrichment.service.store import source_calls
from mcp_enrichment.service.store.source_calls import Call, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_enrichment.service.domain.outcomes import SourceOutcome
    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.domain.verdicts import Down, End
    from mcp_enrichment.service.sources.port import AddressDefect, Source
    from mcp_enrichment.service.store.requests import Request

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupResult:
    """What asking the sources has come to."""

    verdict: End | Down | Pause
    unpaid: Sequence[Call]
    """What sources that cost nothing have answered: to be written with the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Walk:
    """One walk through the sources, for one request."""

    service: Service
    request: Request
    may_wait: bool
    known: Mapping[str, Call]
    """What the vendors were asked before."""
    unpaid: list[Call] = field(default_factory=list)


async def ask_sources(service: Service, request: Request, *, may_wait: bool) -> LookupResult:
    """Ask the sources until one has a verified address, or all were asked.

    Run again it asks only whom it must: what a vendor has answered is read from the database.
    Raises `Full` where it would have to wait for its turn at one, and may not.
    """
    sources = [
        source
        for source in service.sources_for(request.linkedin_url)
        if not is_vendor(source) or request.type in source.kinds
    ]
    known = await _known(service, request, sources)
    walk = _Walk(service=service, request=request, may_wait=may_wait, known=known)
    answers: list[Answered] = []
    for source in sources:
        told = await _usable_answer(walk, source)
        if isinstance(told, Pause):
            return LookupResult(verdict=told, unpaid=walk.unpaid)
        answers.append(Answered(source.name, told))
        if wins(told):
            break
    return LookupResult(verdict=judge(answers), unpaid=walk.unpaid)


async def _known(
    service: Service, request: Request, sources: Sequence[Source]
) -> Mapping[str, Call]:
    if not any(map(is_vendor, sources)):
        return {}
    return await service.database.read(lambda c: source_calls.of_request(c, request.id))


async def _usable_answer(walk: _Walk, source: Source) -> SourceOutcome | Pause:
    """What a source says, or has said before, unless its address is not to be told."""
    told = await _stored_or_new_answer(walk, source)
    usable = await _usable(walk.service, told) if isinstance(told, Hit) else told
    if isinstance(usable, Refused):
        defect = usable.defect
        if is_vendor(source):
            refuse, request_id = source_calls.refuse, walk.request.id
            await walk.service.database.write(lambda c: refuse(c, request_id, source.name, defect))
        else:
            walk.unpaid[-1] = replace(walk.unpaid[-1], state=State.REFUSED, reason=defect)
    return usable


async def _usable(service: Service, hit: Hit) -> Hit | Miss | Refused:
    """The hit, unless its address is not to be told."""
    if await is_address_suppressed(service.database, hit.email):
        return Miss(reason=Reason.SUPPRESSED)
    defect = await _defect(service, hit.email)
    return Refused(defect) if defect else hit


async def tellable_hits(service: Service, calls: Iterable[Call]) -> Sequence[Answered]:
    """The addresses among these answers that may be told."""
    found = []
    for call in calls:
        hit = outcome_of(call, now=service.clock())
        if isinstance(hit, Hit) and isinstance(usable := await _usable(service, hit), Hit):
            found.append(Answered(call.source, usable))
    return found


async def _stored_or_new_answer(walk: _Walk, source: Source) -> SourceOutcome | Pause:
    now = walk.service.clock()
    seen = walk.known.get(source.name) if is_vendor(source) else None
    if seen and seen.state in source_calls.ANSWERED:
        return outcome_of(seen, now=now)
    return await _ask(walk, source)


async def _ask(walk: _Walk, source: Source) -> SourceOutcome | Pause:
    """The one place where a source is asked, once it is the request's turn there."""
    turn = walk.service.turns.turn
    async with turn(walk.service, source.name, walk.request, may_wait=walk.may_wait):
        if is_vendor(source):
            return await asking.ask(walk.service, source, walk.request)
        return await _ask_free(walk, source)


async def _ask_free(walk: _Walk, source: Source) -> SourceOutcome | Pause:
    asked_at = walk.service.clock()
    found = await source.find(walk.request.linkedin_url, walk.request.type)
    outcome = fitting(await _tellable(walk.service, found) if isinstance(found, Hit) else found)
    now = walk.service.clock()
    values = values_of(outcome, None, now=now)
    call = Call(request_id=walk.request.id, source=source.name, asked_at=asked_at, **values)
    walk.unpaid.append(call)
    return outcome_of(call, now=now)


async def _tellable(service: Service, hit: Hit) -> Hit:
    """The first of its addresses that may be told; itself where none may."""
    for one in hit.others and (hit, *hit.others):
        suppressed = await is_address_suppressed(service.database, one.email)
        if not suppressed and await _defect(service, one.email) is None:
            return one
    return hit


async def _defect(service: Service, email: str) -> AddressDefect | None:
    """What is wrong with the address. A check that raises finds nothing: the address may be paid
    for, and is told as it came."""
    with log_and_continue(logger, "an address could not be checked"):
        return await service.check.defect_of(email) if service.check else None
    return None
