"""Queries the sources in order: the first verified address wins, each vendor is paid once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
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
from mcp_enrichment.service.sources.sandbox import SandboxSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.lookup.resolution import Unresolved
    from mcp_enrichment.service.lookup.source_call_mapping import SourceOutcome
    from mcp_enrichment.service.requests.request_table import LookupOutcome, Request
    from mcp_enrichment.service.sources.base import AddressDefect, Source, Vendor

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupResult:
    """The result of one pass over the sources."""

    verdict: LookupOutcome | Unresolved | Reschedule
    free_calls: Sequence[SourceCall]
    """Results of sources that cost nothing: stored with the outcome."""


async def query_sources(service: ServiceContext, request: Request) -> LookupResult:
    """Query the sources until one has a verified address, or all were queried.

    A vendor's stored result is not requested again. Raises `AtCapacity` if a source has no free
    slot.
    """
    case = service.sandbox_case(request.linkedin_url)
    sources = [
        source
        for source in ([SandboxSource(case)] if case else service.sources)
        if not is_vendor(source) or request.type in source.email_types
    ]
    known: Mapping[str, SourceCall] = {}
    if any(map(is_vendor, sources)):
        of_request = partial(source_call_table.of_request, request_id=request.id)
        known = await service.database.read_few(of_request)
    answers: list[SourceAnswer] = []
    free_calls: list[SourceCall] = []
    for source in sources:
        if is_vendor(source):
            result = await _vendor_answer(service, request, source, known.get(source.name))
        else:
            result, call = await _free_answer(service, request, source)
            free_calls.append(call)
        if isinstance(result, Reschedule):
            return LookupResult(verdict=result, free_calls=free_calls)
        answers.append(SourceAnswer(source.name, result))
        if is_decisive(result):
            break
    return LookupResult(verdict=resolve(answers), free_calls=free_calls)


async def _vendor_answer(
    service: ServiceContext, request: Request, vendor: Vendor, stored: SourceCall | None
) -> SourceOutcome | Reschedule:
    """A vendor's result, stored or new. An address that may not be disclosed becomes a miss."""
    if stored and stored.state in source_call_table.NOT_REQUESTED_AGAIN:
        result = from_row(stored, now=service.clock())
    else:
        async with _slot(service, request, vendor):
            result = await vendor_calls.call_vendor(service, vendor, request)
    if not isinstance(result, Hit):
        return result
    usable = await _check_disclosable(service, result)
    if isinstance(usable, AddressRejected):
        refuse, defect = source_call_table.reject_address, usable.defect
        await service.database.write(lambda c: refuse(c, request.id, vendor.name, defect))
    return usable


async def _free_answer(
    service: ServiceContext, request: Request, source: Source
) -> tuple[SourceOutcome | Reschedule, SourceCall]:
    """The result of a source that costs nothing, and the call that is stored with the outcome."""
    requested_at = service.clock()
    async with _slot(service, request, source):
        found = storable(await source.find(request.linkedin_url, request.type))
        usable = await _check_disclosable(service, found) if isinstance(found, Hit) else found
    stored = usable if isinstance(usable, Hit) else found
    now = service.clock()
    columns = to_columns(stored, None, now=now)
    if isinstance(usable, AddressRejected):
        columns |= {"state": CallState.REJECTED, "reason": usable.defect}
    call = SourceCall(
        request_id=request.id, source=source.name, requested_at=requested_at, **columns
    )
    if isinstance(found, Hit) and isinstance(usable, Miss):
        return usable, call  # the address is suppressed
    return from_row(call, now=now), call


def _slot(
    service: ServiceContext, request: Request, source: Source
) -> AbstractAsyncContextManager[None]:
    """Within it the source may be queried, if it has a limit."""
    slot = service.source_limiter.slot
    return slot(source.name, request.id, database=service.database, clock=service.clock)


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


async def _check_disclosable(service: ServiceContext, hit: Hit) -> Hit | Miss | AddressRejected:
    """The hit with the first of its addresses that may be disclosed; if none may, the defect of the
    first one."""
    refusals: list[Miss | AddressRejected] = []
    for one in (hit, *hit.others):
        if await is_address_suppressed(service.database, one.email):
            refusals.append(Miss(reason=Reason.SUPPRESSED))
        elif defect := await _defect(service, one.email):
            refusals.append(AddressRejected(defect))
        else:
            return one
    return refusals[0]


async def _defect(service: ServiceContext, email: str) -> AddressDefect | None:
    """The defect of the address. A check that raises finds none, as the address may be paid for."""
    with log_and_continue(logger, "an address could not be checked"):
        return await service.check.find_defect(email) if service.check else None
    return None
