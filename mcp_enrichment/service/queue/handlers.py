"""The two jobs, and what becomes of one that raises: the same for every engine that calls them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import update

from mcp_enrichment.contract.error_logging import log_and_continue, safe_traceback
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.callbacks.callback_job import deliver
from mcp_enrichment.service.callbacks.callback_job import give_up as give_up_deliver
from mcp_enrichment.service.db.schema import callbacks, requests
from mcp_enrichment.service.lookup.lookup_job import give_up as give_up_look_up
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import JobKind, Reschedule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.queue.job import Job

_SUBJECTS = {JobKind.LOOK_UP: requests, JobKind.DELIVER: callbacks}


def count(connection: Connection, kind: JobKind, target_id: str) -> int:
    """Write down that the job raised once more; how often it has now. 0: its subject is gone."""
    table = _SUBJECTS[kind]
    this = (
        update(table)
        .where(table.c.id == target_id)
        .values(handler_errors=table.c.handler_errors + 1)
    )
    return int(connection.execute(this.returning(table.c.handler_errors)).scalar() or 0)


logger = logging.getLogger(__name__)

FAILURE_BACKOFF = 5.0
"""Seconds until a job that raised is tried again, doubled each time up to `DEFECT_CAP`."""
LONGEST_FAILURE_BACKOFF = 600.0
_DOUBLINGS = 10  # more than lead to the cap; 2 to the power of any number is no float

MAX_FAILURES = 12
"""A job that raised so often, over about an hour, is given up. Claims do not count: a lookup whose
vendor works on it is claimed for each poll."""

_HANDLERS: dict[JobKind, Callable[[ServiceContext, Job], Awaitable[Reschedule | None]]] = {
    JobKind.LOOK_UP: look_up,
    JobKind.DELIVER: deliver,
}
_ABANDON_HANDLERS: dict[JobKind, Callable[[ServiceContext, Job], Awaitable[None]]] = {
    JobKind.LOOK_UP: give_up_look_up,
    JobKind.DELIVER: give_up_deliver,
}


class Engine(Protocol):
    """Has the jobs of a database done, together with those of any other process."""

    def wake(self) -> None:
        """Look for jobs now. Callable from the event loop only."""

    async def run(self, service: ServiceContext) -> None:
        """Work until cancelled; then give the unfinished jobs back."""


async def run_job(service: ServiceContext, job: Job) -> Reschedule | None:
    """What the job's handler says; one that raises is to be run again, ever later.

    Raises `StorageFailed` where the database stopped it: nobody can say then how far it came.
    """
    try:
        return await _HANDLERS[job.kind](service, job)
    except StorageFailed:
        raise
    except Exception as defect:  # noqa: BLE001 (one defect may not stop all other work)
        logger.error("job %s of %s raised %s", job.kind, job.target_id, safe_traceback(defect))  # noqa: TRY400
    return await _after_failure(service, job)


async def _after_failure(service: ServiceContext, job: Job) -> Reschedule | None:
    raised = await service.database.write(lambda c: count(c, job.kind, job.target_id))
    if raised < MAX_FAILURES:
        doubled = FAILURE_BACKOFF * 2 ** min(max(raised - 1, 0), _DOUBLINGS)
        return Reschedule(min(doubled, LONGEST_FAILURE_BACKOFF))
    with log_and_continue(logger, f"job {job.kind} of {job.target_id} cannot be given up"):
        await _ABANDON_HANDLERS[job.kind](service, job)
        return None
    return Reschedule(LONGEST_FAILURE_BACKOFF)
