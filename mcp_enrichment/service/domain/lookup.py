"""The first job: asking the sources, and ending the request with its credit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp_enrichment import tracing
from mcp_enrichment.contract.models import Reason, Status
from mcp_enrichment.service.domain.privacy import is_address_suppressed, is_suppressed
from mcp_enrichment.service.sources.port import Hit, Misconfigured, Miss, Unavailable
from mcp_enrichment.service.store import callbacks, jobs, ledger
from mcp_enrichment.service.store import requests as store
from mcp_enrichment.service.telemetry import LOOKUPS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.store.jobs import Job
    from mcp_enrichment.service.store.requests import Request

TRIES = 5
"""How often sources that stay unavailable are asked before the request fails."""
FIRST_DELAY = 2.0
"""Seconds before the second try; each further one waits twice as long."""


@dataclass(frozen=True, slots=True)
class Again:
    """The job is not done: run it again in so many seconds."""

    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _End:
    status: Status
    email: str | None = None
    source: str | None = None
    reason: Reason | None = None


SUPPRESSED = _End(status=Status.NOT_FOUND, reason=Reason.SUPPRESSED)


@dataclass(frozen=True, slots=True)
class _Down:
    """A source could not be asked, and no other one has the address."""

    retry_after: float
    """Seconds that the sources asked to wait; 0 where they did not."""


async def look_up(service: Service, job: Job) -> Again | None:
    """Bring a request to its end. Run twice, or in two processes at once, it changes nothing."""
    request = await service.database.write(lambda connection: _begin(connection, job.subject))
    if request is None or request.status.is_final:
        return None
    with tracing.span("look up", parent=request.traceparent):
        if await is_suppressed(service.database, profile=request.linkedin_url):
            verdict: _End | _Down = SUPPRESSED
        else:
            verdict = await _ask(service, request)
        if isinstance(verdict, _Down):
            # Counted here and not by claims of the job: a restart is no fault of a source.
            tries = await service.database.write(lambda c: store.count_try(c, request.id))
            if tries < TRIES:
                return Again(max(FIRST_DELAY * 2 ** (tries - 1), verdict.retry_after))
            verdict = _End(status=Status.FAILED, reason=Reason.SOURCES_UNAVAILABLE)
        await _finish(service, request, verdict)
    return None


async def give_up(service: Service, job: Job) -> None:
    """End a request whose lookup cannot be carried out as failed, and give its credit back."""
    request = await service.database.read(lambda connection: store.get(connection, job.subject))
    if request is not None:
        failed = _End(status=Status.FAILED, reason=Reason.SOURCES_UNAVAILABLE)
        await _finish(service, request, failed)


async def _finish(service: Service, request: Request, verdict: _End) -> None:
    now = service.clock()
    tell_at = now + service.delivery_delays[0]
    if await service.database.write(lambda c: _end(c, request, verdict, at=now, tell_at=tell_at)):
        LOOKUPS.labels(status=verdict.status.value, source=verdict.source or "none").inc()
    service.finals.announce(request.id)
    service.wake()


def _begin(connection: Connection, request_id: str) -> Request | None:
    store.begin(connection, request_id)
    return store.get(connection, request_id)


async def _ask(service: Service, request: Request) -> _End | _Down:
    """The first hit wins; only when every source said miss is the address not to be found."""
    failures: list[Unavailable | Misconfigured] = []
    reason: Reason | None = None
    for source in service.sources_for(request.linkedin_url):
        outcome = await source.find(request.linkedin_url, request.type)
        if isinstance(outcome, Hit) and await is_address_suppressed(
            service.database, outcome.email
        ):
            outcome = Miss(reason=Reason.SUPPRESSED)
        if isinstance(outcome, Hit):
            return _End(
                status=Status.COMPLETED,
                email=outcome.email,
                source=source.name,
                reason=outcome.reason,
            )
        if isinstance(outcome, Unavailable | Misconfigured):
            failures.append(outcome)
        else:
            reason = outcome.reason or reason
    if not failures:
        return _End(status=Status.NOT_FOUND, reason=reason)
    return _judge(failures)


def _judge(failures: list[Unavailable | Misconfigured]) -> _End | _Down:
    waits = [f.retry_after or 0.0 for f in failures if isinstance(f, Unavailable)]
    if not waits:
        reasons = [f.reason for f in failures if isinstance(f, Misconfigured)]
        return _End(status=Status.FAILED, reason=reasons[0])
    return _Down(max(waits))


def _end(connection: Connection, request: Request, end: _End, *, at: float, tell_at: float) -> bool:
    """Write an end down; False where the request had ended before."""
    found: dict[str, Any] = {"email": end.email, "source": end.source, "reason": end.reason}
    if not store.end(connection, request.id, end.status, at=at, **found):
        return False
    close = ledger.settle if end.status is Status.COMPLETED else ledger.release
    close(connection, request.team_id, request.id, at=at)
    for callback in callbacks.of_request(connection, request.id):
        jobs.put(
            connection,
            jobs.JobKind.DELIVER,
            callback.id,
            team_id=request.team_id,
            due_at=tell_at,
        )
    return True
