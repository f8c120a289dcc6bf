"""Queries the sources in order: the first verified address wins, each vendor is paid once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.lookup import source_call_table, vendor_calls
from mcp_enrichment.service.lookup.resolution import SourceAnswer, is_decisive, resolve
from mcp_enrichment.service.lookup.source_call_mapping import (
    AddressRejected,
    from_row,
    storable,
    to_columns,
)
from mcp_enrichment.service.lookup.source_call_table import CallState, SourceCall
from mcp_enrichment.service.privacy.suppression import is_address_suppressed
from mcp_enrichment.service.queue.job import Reschedule
from mcp_enrichment.service.sources.base import Hit, Miss, is_vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.lookup.resolution import LookupOutcome, Unresolved
    from mcp_enrichment.service.lookup.source_call_mapping import SourceOutcome
    from mcp_enrichment.service.requests.request_table import Request
    from mcp_enrichment.service.sources.base import AddressDefect, Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupResult:
    """The result of one pass over the sources."""

    verdict: LookupOutcome | Unresolved | Reschedule
    free_calls: Sequence[SourceCall]
    """Results of sources that cost nothing: stored with the outcome."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waterfall:
    """One pass over the sources, for one request."""

    service: ServiceContext
    request: Request
    known: Mapping[str, SourceCall]
    """Earlier calls of vendors."""
    free_calls: list[SourceCall] = field(default_factory=list)


async def query_sources(service: ServiceContext, request: Request) -> LookupResult:
    """Query the sources until one has a verified address, or all were queried.

    A vendor's stored result is not requested again. Raises `AtCapacity` if a source has no free
    slot.
    """
    sources = [
        source
        for source in service.sources_for(request.linkedin_url)
        if not is_vendor(source) or request.type in source.email_types
    ]
    known = await _stored_calls(service, request, sources)
    waterfall = _Waterfall(service=service, request=request, known=known)
    answers: list[SourceAnswer] = []
    for source in sources:
        result = await _disclosable_answer(waterfall, source)
        if isinstance(result, Reschedule):
            return LookupResult(verdict=result, free_calls=waterfall.free_calls)
        answers.append(SourceAnswer(source.name, result))
        if is_decisive(result):
            break
    return LookupResult(verdict=resolve(answers), free_calls=waterfall.free_calls)


async def _stored_calls(
    service: ServiceContext, request: Request, sources: Sequence[Source]
) -> Mapping[str, SourceCall]:
    if not any(map(is_vendor, sources)):
        return {}
    return await service.database.read(lambda c: source_call_table.of_request(c, request.id))


async def _disclosable_answer(waterfall: _Waterfall, source: Source) -> SourceOutcome | Reschedule:
    """A source's result, stored or new. An address that may not be disclosed becomes a miss."""
    result = await _stored_or_new_answer(waterfall, source)
    usable = (
        await _check_disclosable(waterfall.service, result) if isinstance(result, Hit) else result
    )
    if isinstance(usable, AddressRejected):
        defect = usable.defect
        if is_vendor(source):
            refuse, request_id = source_call_table.reject_address, waterfall.request.id
            await waterfall.service.database.write(
                lambda c: refuse(c, request_id, source.name, defect)
            )
        else:
            waterfall.free_calls[-1] = replace(
                waterfall.free_calls[-1], state=CallState.REJECTED, reason=defect
            )
    return usable


async def _check_disclosable(service: ServiceContext, hit: Hit) -> Hit | Miss | AddressRejected:
    """The hit, unless its address may not be disclosed."""
    if await is_address_suppressed(service.database, hit.email):
        return Miss(reason=Reason.SUPPRESSED)
    defect = await _defect(service, hit.email)
    return AddressRejected(defect) if defect else hit


async def disclosable_hits(
    service: ServiceContext, calls: Iterable[SourceCall]
) -> Sequence[SourceAnswer]:
    """The hits among these calls whose addresses may be disclosed."""
    found = []
    for call in calls:
        hit = from_row(call, now=service.clock())
        if isinstance(hit, Hit) and isinstance(
            usable := await _check_disclosable(service, hit), Hit
        ):
            found.append(SourceAnswer(call.source, usable))
    return found


async def _stored_or_new_answer(
    waterfall: _Waterfall, source: Source
) -> SourceOutcome | Reschedule:
    now = waterfall.service.clock()
    stored = waterfall.known.get(source.name) if is_vendor(source) else None
    if stored and stored.state in source_call_table.ANSWERED:
        return from_row(stored, now=now)
    return await _query(waterfall, source)


async def _query(waterfall: _Waterfall, source: Source) -> SourceOutcome | Reschedule:
    """Query a source, with a slot there if it has a limit."""
    service, slot = waterfall.service, waterfall.service.source_limiter.slot
    async with slot(
        source.name, waterfall.request.id, database=service.database, clock=service.clock
    ):
        if is_vendor(source):
            return await vendor_calls.call_vendor(waterfall.service, source, waterfall.request)
        return await _query_free(waterfall, source)


async def _query_free(waterfall: _Waterfall, source: Source) -> SourceOutcome | Reschedule:
    requested_at = waterfall.service.clock()
    found = await source.find(waterfall.request.linkedin_url, waterfall.request.type)
    outcome = storable(
        await _first_disclosable(waterfall.service, found) if isinstance(found, Hit) else found
    )
    now = waterfall.service.clock()
    values = to_columns(outcome, None, now=now)
    call = SourceCall(
        request_id=waterfall.request.id, source=source.name, requested_at=requested_at, **values
    )
    waterfall.free_calls.append(call)
    return from_row(call, now=now)


async def _first_disclosable(service: ServiceContext, hit: Hit) -> Hit:
    """The first of its addresses that may be disclosed; the hit itself if none may."""
    for one in hit.others and (hit, *hit.others):
        suppressed = await is_address_suppressed(service.database, one.email)
        if not suppressed and await _defect(service, one.email) is None:
            return one
    return hit


async def _defect(service: ServiceContext, email: str) -> AddressDefect | None:
    """The defect of the address. A check that raises finds none, as the address may be paid for."""
    with log_and_continue(logger, "an address could not be checked"):
        return await service.check.find_defect(email) if service.check else None
    return None
