"""The lookup job: queries the sources, and completes the request with its credit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment import tracing
from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.contract.models import Reason, Status
from mcp_enrichment.service.lookup import source_call_table
from mcp_enrichment.service.lookup.resolution import Unresolved, best_hit
from mcp_enrichment.service.lookup.source_call_table import CallState
from mcp_enrichment.service.lookup.source_limiter import AtCapacity
from mcp_enrichment.service.lookup.waterfall import LookupResult, disclosable_hits, query_sources
from mcp_enrichment.service.metrics import LOOKUPS, count_answer
from mcp_enrichment.service.privacy.suppression import is_suppressed, which_listed
from mcp_enrichment.service.queue.job import Reschedule, exponential_backoff
from mcp_enrichment.service.requests import request_table
from mcp_enrichment.service.requests.completion import Completion, complete_batch
from mcp_enrichment.service.requests.request_table import LookupOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.lookup.source_call_table import SourceCall
    from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms
    from mcp_enrichment.service.queue.job import Job
    from mcp_enrichment.service.requests.request_table import Request

logger = logging.getLogger(__name__)

MAX_SOURCE_ATTEMPTS = 5
"""Attempts at unavailable sources before the request fails."""
FIRST_DELAY = 2.0
"""Seconds before the second attempt, doubled for each further one."""
LONGEST_WAIT = 120.0
"""A source that is unavailable for more seconds than this is not waited for."""
LONGEST_WAIT_WITH_HIT = 60.0
"""The same while an unverified address is withheld in the hope of a better one."""


SUPPRESSED = LookupOutcome(status=Status.NOT_FOUND, reason=Reason.SUPPRESSED)


class RunningRequest(NamedTuple):
    request: Request
    is_suppressed: bool
    """Whether its profile may not be looked up."""


async def look_up(service: ServiceContext, job: Job) -> Reschedule | None:
    """Complete a request. Run twice, or in two processes at once, it changes nothing."""
    limiter = service.source_limiter
    try:
        running = job.begun or await _running_request(service, job.target_id)
        return await _look_up(service, job, running) if running else None
    finally:
        # The slot that came with the claim, if the lookup did not reach the source.
        if job.slot_at and limiter.is_held(job.slot_at, job.target_id):
            await limiter.release(job.slot_at, job.target_id, database=service.database)


async def _look_up(service: ServiceContext, job: Job, running: RunningRequest) -> Reschedule | None:
    request = running.request
    with tracing.span("look up", parent=request.traceparent):
        try:
            result = (
                LookupResult(verdict=SUPPRESSED, free_calls=())
                if running.is_suppressed
                else await query_sources(service, request)
            )
        except AtCapacity as full:
            return Reschedule(0.0, waits_for=full.source)
        verdict = result.verdict
        if isinstance(verdict, Reschedule):
            return verdict
        if isinstance(verdict, Unresolved):
            # The attempts of the job are not used: a restart is no failure of a source.
            attempts = await service.database.write(
                lambda c: request_table.count_source_attempt(c, request.id)
            )
            if again := _retry_in(attempts, verdict):
                return again
            verdict = verdict.fallback
        await _finish(service, job, request, verdict, result.free_calls)
    return None


def _retry_in(attempts: int, unresolved: Unresolved) -> Reschedule | None:
    """When the unavailable sources are queried again after so many attempts; None: never."""
    longest = LONGEST_WAIT if unresolved.fallback.email is None else LONGEST_WAIT_WITH_HIT
    waits = [wait for wait in unresolved.retry_after if wait <= longest]
    if attempts >= MAX_SOURCE_ATTEMPTS or not waits:
        return None
    return Reschedule(max(exponential_backoff(FIRST_DELAY, attempts), *waits))


async def give_up(service: ServiceContext, job: Job) -> None:
    """Complete a request whose lookup keeps raising: with the best address that was paid for, else
    as failed, and its credit is released."""
    request = await service.database.read(
        lambda connection: request_table.get(connection, job.target_id)
    )
    if request is not None:
        calls = await service.database.read(lambda c: source_call_table.of_request(c, request.id))
        outcome = await _outcome_from_paid_hits(service, request, calls) or _failed_outcome(calls)
        await _finish(service, job, request, outcome)


async def _outcome_from_paid_hits(
    service: ServiceContext, request: Request, calls: Mapping[str, SourceCall]
) -> LookupOutcome | None:
    """The outcome by the vendors' stored results; None if they have no address."""
    with log_and_continue(logger, f"the paid results of {request.id} cannot be used"):
        if await is_suppressed(service.database, profile=request.linkedin_url):
            return SUPPRESSED
        return best_hit(await disclosable_hits(service, calls.values()))
    return None


def _failed_outcome(calls: Mapping[str, SourceCall]) -> LookupOutcome:
    paid = any(call.state in (*source_call_table.OPEN, CallState.HIT) for call in calls.values())
    reason = Reason.ANSWER_LOST if paid else Reason.SOURCES_UNAVAILABLE
    return LookupOutcome(status=Status.FAILED, reason=reason)


async def _running_request(service: ServiceContext, request_id: str) -> RunningRequest | None:
    """The request as its lookup starts from it; None if it is final or missing."""
    database = service.database
    return await database.read_grouped(_running_requests, (request_id, database.pseudonyms))


def _running_requests(
    connection: Connection, asked: Sequence[tuple[str, Pseudonyms]]
) -> Sequence[RunningRequest | None]:
    found = request_table.running(connection, [request_id for request_id, _ in asked])
    _, pseudonyms = asked[0]
    running = {each.request.id: each for each in begin(connection, pseudonyms, found)}
    return [running.get(request_id) for request_id, _ in asked]


def begin(
    connection: Connection, pseudonyms: Pseudonyms, requests: Iterable[Request | None]
) -> Sequence[RunningRequest]:
    """The requests as their lookups start from them. None stands for one that is final."""
    running = [request for request in requests if request]
    profiles = [pseudonyms.of_profile(request.linkedin_url) for request in running]
    return list(map(RunningRequest, running, which_listed(connection, profiles)))


async def _finish(
    service: ServiceContext,
    job: Job,
    request: Request,
    outcome: LookupOutcome,
    free_calls: Sequence[SourceCall] = (),
) -> None:
    completion = Completion(
        service=service, job=job, request=request, outcome=outcome, free_calls=free_calls
    )
    callbacks = await service.database.write_grouped(complete_batch, completion)
    if callbacks is not None:
        LOOKUPS.labels(status=outcome.status.value, source=outcome.source or "none").inc()
        for call in free_calls:
            count_answer(call)
    service.completion_waiter.notify(request.id)
    if callbacks:
        service.wake()
