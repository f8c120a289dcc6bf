"""Calls the handler of a job, for both engines; a handler that raises is called again later."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from mcp_enrichment.contract.error_logging import log_and_continue, safe_traceback
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.callbacks.callback_job import begin as begin_deliver
from mcp_enrichment.service.callbacks.callback_job import deliver
from mcp_enrichment.service.db.schema import callbacks, requests
from mcp_enrichment.service.lookup.lookup_job import begin as begin_look_ups
from mcp_enrichment.service.lookup.lookup_job import give_up as give_up_look_up
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import JobKind, Reschedule, exponential_backoff
from mcp_enrichment.service.requests import request_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.queue.job import Job, NewLookup

logger = logging.getLogger(__name__)

T = TypeVar("T")

FAILURE_BACKOFF = 5.0
"""Seconds until a job whose handler raised is run again, doubled each time."""
LONGEST_FAILURE_BACKOFF = 600.0
MAX_FAILURES = 12
"""The number of exceptions after which a job is given up, about an hour after the first. Attempts
are not counted, as each poll of a vendor is another attempt of the lookup."""

_TARGETS = {JobKind.LOOK_UP: requests, JobKind.DELIVER: callbacks}
_HANDLERS: dict[JobKind, Callable[[ServiceContext, Job], Awaitable[Reschedule | None]]] = {
    JobKind.LOOK_UP: look_up,
    JobKind.DELIVER: deliver,
}


class Engine(Protocol):
    """Runs the jobs of a database, together with any other process."""

    def wake(self) -> None:
        """Look for jobs now. Callable from the event loop only."""

    def lease_lookup(self, request_id: str, team_id: int) -> NewLookup | None:
        """Lease the lookup of a new request to this process; None if it has no room, or other
        lookups are due. Callable from the event loop only."""

    async def run(self, service: ServiceContext) -> None:
        """Work until cancelled; then release the unfinished jobs."""


def begin_claimed(
    connection: Connection, service: ServiceContext, claimed: Sequence[Job]
) -> list[Job]:
    """Return the jobs with the rows that their handlers need, in the transaction that claims them:
    requests are set to `processing`, and attempts of callbacks are stored."""
    begun: dict[str, Any] = {}
    if lookups := [job.target_id for job in claimed if job.kind is JobKind.LOOK_UP]:
        begun = _unless_defect(partial(_begin_look_ups, connection, service, lookups)) or {}
    for job in claimed:
        if job.kind is JobKind.DELIVER:
            begin = partial(begin_deliver, connection, service, job.target_id)
            begun[job.target_id] = _unless_defect(begin)
    return [replace(job, begun=begun.get(job.target_id)) for job in claimed]


def _begin_look_ups(
    connection: Connection, service: ServiceContext, ids: Sequence[str]
) -> dict[str, Any]:
    started = request_table.start(connection, ids)
    running = begin_look_ups(connection, service.database.pseudonyms, started)
    return {each.request.id: each for each in running}


def _unless_defect(begin: Callable[[], T]) -> T | None:
    """Return the result of `begin`; None if it raises. The job's handler then begins the job again
    and raises the same error, so that a defect in one job does not stop the claim of the others. An
    error of the database is raised here, as it may have undone the claim."""
    try:
        return begin()
    except (StorageFailed, DBAPIError, sqlite3.Error):
        raise
    except Exception:  # noqa: BLE001 (its handler raises it again)
        return None


async def run_job(service: ServiceContext, job: Job) -> Reschedule | None:
    """Call the job's handler. One that raises is rescheduled with backoff.

    Raises `StorageFailed` if the database failed: the state of the job is then unknown.
    """
    try:
        return await _HANDLERS[job.kind](service, job)
    except StorageFailed:
        raise
    except Exception as defect:  # noqa: BLE001 (one defect may not stop all other work)
        logger.error("job %s of %s raised %s", job.kind, job.target_id, safe_traceback(defect))  # noqa: TRY400
    return await _after_failure(service, job)


def count_failure(connection: Connection, kind: JobKind, target_id: str) -> int:
    """Count an exception of the job's handler; the number so far, 0 if its target is gone."""
    table = _TARGETS[kind]
    this = (
        update(table)
        .where(table.c.id == target_id)
        .values(handler_errors=table.c.handler_errors + 1)
    )
    return int(connection.execute(this.returning(table.c.handler_errors)).scalar() or 0)


async def _after_failure(service: ServiceContext, job: Job) -> Reschedule | None:
    raised = await service.database.write(lambda c: count_failure(c, job.kind, job.target_id))
    if raised < MAX_FAILURES:
        return Reschedule(exponential_backoff(FAILURE_BACKOFF, raised, LONGEST_FAILURE_BACKOFF))
    if job.kind is JobKind.DELIVER:
        return None  # the stored attempts show what happened
    with log_and_continue(logger, f"job {job.kind} of {job.target_id} cannot be given up"):
        await give_up_look_up(service, job)
        return None
    return Reschedule(LONGEST_FAILURE_BACKOFF)
