"""The first job: asking the sources, and ending the request with its credit."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment import tracing
from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.models import Reason, Status
from mcp_enrichment.service.domain.asking import count
from mcp_enrichment.service.domain.ending import Ending, end_together
from mcp_enrichment.service.domain.outcomes import Pause
from mcp_enrichment.service.domain.privacy import is_suppressed
from mcp_enrichment.service.domain.turns import Full
from mcp_enrichment.service.domain.verdicts import Down, End, best
from mcp_enrichment.service.domain.waterfall import LookupResult, ask_sources, tellable_hits
from mcp_enrichment.service.store import requests as store
from mcp_enrichment.service.store import source_calls
from mcp_enrichment.service.store.source_calls import State
from mcp_enrichment.service.telemetry import LOOKUPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.store.jobs import Job
    from mcp_enrichment.service.store.requests import Request
    from mcp_enrichment.service.store.source_calls import Call

logger = logging.getLogger(__name__)

TRIES = 5
"""How often sources that stay unavailable are asked before the request fails."""
FIRST_DELAY = 2.0
"""Seconds before the second try; each further one waits twice as long."""
LONGEST_WAIT = 120.0
"""Seconds for which a source is waited for that is away: one that is away for longer is not."""
WAIT_FOR_BETTER = 60.0
"""The same where an unverified address is withheld, as that source may have a better one."""


@dataclass(frozen=True, slots=True)
class Again:
    """The job is not done: run it again in so many seconds."""

    seconds: float
    in_line_at: str | None = None
    """The source that is full, where a lookup has to wait for its turn at one."""


SUPPRESSED = End(status=Status.NOT_FOUND, reason=Reason.SUPPRESSED)


async def look_up(service: Service, job: Job) -> Again | None:
    """Bring a request to its end. Run twice, or in two processes at once, it changes nothing."""
    async with service.turns.slots.held():
        request = await _begun(service, job)
        return await _look_up(service, job, request) if request else None


async def _look_up(service: Service, job: Job, request: Request) -> Again | None:
    with tracing.span("look up", parent=request.traceparent):
        try:
            came = await _asked(service, job, request)
        except Full as full:
            return Again(0.0, in_line_at=full.source)
        verdict = came.verdict
        if isinstance(verdict, Pause):
            return Again(verdict.seconds)
        if isinstance(verdict, Down):
            # Counted here and not by claims of the job: a restart is no fault of a source.
            tries = await service.database.write(lambda c: store.count_try(c, request.id))
            if again := _again(tries, verdict):
                return again
            verdict = verdict.otherwise
        await _finish(service, job, request, verdict, came.unpaid)
    return None


def _again(tries: int, down: Down) -> Again | None:
    """When the sources that are away are asked again, after so many tries; None: never."""
    longest = LONGEST_WAIT if down.otherwise.email is None else WAIT_FOR_BETTER
    waits = [wait for wait in down.waits if wait <= longest]
    if tries >= TRIES or not waits:
        return None
    return Again(max(FIRST_DELAY * 2 ** (tries - 1), *waits))


async def give_up(service: Service, job: Job) -> None:
    """End a request whose lookup cannot be carried out: with the best address that a vendor has
    given, as that is paid for; without one as failed, and its credit is given back."""
    request = await service.database.read(lambda connection: store.get(connection, job.subject))
    if request is not None:
        asked = await service.database.read(lambda c: source_calls.of_request(c, request.id))
        end = await _kept(service, request, asked) or _without_answer(asked)
        await _finish(service, job, request, end)


async def _kept(service: Service, request: Request, asked: Mapping[str, Call]) -> End | None:
    """How the request ends by what vendors have answered; None where that is no address."""
    with log_and_continue(logger, f"what was paid for {request.id} cannot be told"):
        if await is_suppressed(service.database, profile=request.linkedin_url):
            return SUPPRESSED
        return best(await tellable_hits(service, asked.values()))
    return None


def _without_answer(asked: Mapping[str, Call]) -> End:
    paid = any(call.state in (*source_calls.OPEN, State.HIT) for call in asked.values())
    reason = Reason.ANSWER_LOST if paid else Reason.SOURCES_UNAVAILABLE
    return End(status=Status.FAILED, reason=reason)


async def _asked(service: Service, job: Job, request: Request) -> LookupResult:
    if await is_suppressed(service.database, profile=request.linkedin_url):
        return LookupResult(verdict=SUPPRESSED, unpaid=())
    return await ask_sources(service, request, may_wait=job.may_wait)


async def _begun(service: Service, job: Job) -> Request | None:
    """The job's request, which is being processed from now on; None where it has ended."""
    if job.has_begun:
        return await service.database.read_together(store.running, job.subject)
    return await service.database.write_together(store.begin, job.subject)


async def _finish(
    service: Service, job: Job, request: Request, end: End, unpaid: Sequence[Call] = ()
) -> None:
    ending = Ending(service=service, job=job, request=request, end=end, unpaid=unpaid)
    if await service.database.write_together(end_together, ending):
        LOOKUPS.labels(status=end.status.value, source=end.source or "none").inc()
        for call in unpaid:
            count(call)
    service.finals.announce(request.id)
    service.wake()
