"""The first job: asking the sources, and ending the request with its credit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.models import Reason, Status
from mcp_enrichment.service.sources.port import Hit, Misconfigured, Unavailable
from mcp_enrichment.service.store import callbacks, ledger
from mcp_enrichment.service.store import requests as store
from mcp_enrichment.service.store.jobs import JobKind
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


async def look_up(service: Service, job: Job) -> Again | None:
    """Bring a request to its end. Run twice, or in two processes at once, it changes nothing."""
    request = await _begun(service, job)
    if request is None:
        return None
    verdict = await _ask(service, request, claims=job.claims)
    if isinstance(verdict, Again):
        return verdict
    await _finish(service, job, request, verdict)
    return None


async def give_up(service: Service, job: Job) -> None:
    """End a request whose lookup cannot be carried out as failed, and give its credit back."""
    request = await service.database.read(lambda connection: store.get(connection, job.subject))
    if request is not None:
        failed = _End(status=Status.FAILED, reason=Reason.SOURCES_UNAVAILABLE)
        await _finish(service, job, request, failed)


async def _begun(service: Service, job: Job) -> Request | None:
    """The job's request, which is being processed from now on; None where it has ended."""
    if job.has_begun:
        return await service.database.read(lambda c: store.running(c, job.subject))
    return await service.database.write(lambda c: store.begin(c, job.subject))


async def _finish(service: Service, job: Job, request: Request, verdict: _End) -> None:
    def end(connection: Connection) -> None:
        _end(connection, service, request, verdict, at=service.clock())
        if job.take_off:
            job.take_off(connection)

    await service.database.write(end)
    LOOKUPS.labels(status=verdict.status.value, source=verdict.source or "none").inc()
    service.finals.announce(request.id)
    service.wake()


async def _ask(service: Service, request: Request, *, claims: int) -> _End | Again:
    """The first hit wins; only when every source said miss is the address not to be found."""
    failures: list[Unavailable | Misconfigured] = []
    reason: Reason | None = None
    for source in service.sources:
        async with service.turns.turn(service, source.name, request.id):
            outcome = await source.find(request.linkedin_url, request.type)
        if isinstance(outcome, Hit):
            return _End(status=Status.COMPLETED, email=outcome.email, source=source.name)
        if isinstance(outcome, Unavailable | Misconfigured):
            failures.append(outcome)
        else:
            reason = outcome.reason or reason
    if not failures:
        return _End(status=Status.NOT_FOUND, reason=reason)
    return _judge(failures, claims=claims)


def _judge(failures: list[Unavailable | Misconfigured], *, claims: int) -> _End | Again:
    waits = [f.retry_after or 0.0 for f in failures if isinstance(f, Unavailable)]
    if not waits:
        return _End(status=Status.FAILED, reason=Reason.SOURCES_MISCONFIGURED)
    if claims >= TRIES:
        return _End(status=Status.FAILED, reason=Reason.SOURCES_UNAVAILABLE)
    return Again(max(FIRST_DELAY * 2 ** (claims - 1), *waits))


def _end(
    connection: Connection, service: Service, request: Request, end: _End, *, at: float
) -> None:
    found: dict[str, Any] = {"email": end.email, "source": end.source, "reason": end.reason}
    if not store.end(connection, request.id, end.status, at=at, **found):
        return
    put, delay = service.database.queue.put, service.delivery_delays[0]
    for callback in callbacks.of_request(connection, request.id):
        put(connection, JobKind.DELIVER, callback.id, at=at, delay=delay)
    # Last, as all requests of a team meet at its balance: none is in another's way for longer.
    close = ledger.settle if end.status is Status.COMPLETED else ledger.release
    close(connection, request.team_id, request.id, at=at)
