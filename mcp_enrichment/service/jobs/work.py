"""The two jobs, and what becomes of one that raises: the same for every engine that calls them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.contract.error_logging import log_and_continue, safe_traceback
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.domain.delivery import deliver
from mcp_enrichment.service.domain.delivery import give_up as give_up_deliver
from mcp_enrichment.service.domain.lookup import Again, look_up
from mcp_enrichment.service.domain.lookup import give_up as give_up_look_up
from mcp_enrichment.service.store import defects
from mcp_enrichment.service.store.jobs import JobKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.store.jobs import Job

logger = logging.getLogger(__name__)

AFTER_A_DEFECT = 5.0
"""Seconds until a job that raised is tried again, doubled each time up to `DEFECT_CAP`."""
DEFECT_CAP = 600.0
_DOUBLINGS = 10  # more than lead to the cap; 2 to the power of any number is no float

MOST_DEFECTS = 12
"""A job that raised so often, over about an hour, is given up. Claims do not count: a lookup whose
vendor works on it is claimed for each poll."""

_WORK: dict[JobKind, Callable[[Service, Job], Awaitable[Again | None]]] = {
    JobKind.LOOK_UP: look_up,
    JobKind.DELIVER: deliver,
}
_GIVE_UP: dict[JobKind, Callable[[Service, Job], Awaitable[None]]] = {
    JobKind.LOOK_UP: give_up_look_up,
    JobKind.DELIVER: give_up_deliver,
}


class Engine(Protocol):
    """Has the jobs of a database done, together with those of any other process."""

    def wake(self) -> None:
        """Look for jobs now. Callable from the event loop only."""

    async def run(self, service: Service) -> None:
        """Work until cancelled; then give the unfinished jobs back."""


async def run_job(service: Service, job: Job) -> Again | None:
    """What the job's handler says; one that raises is to be run again, ever later.

    Raises `StorageFailed` where the database stopped it: nobody can say then how far it came.
    """
    try:
        return await _WORK[job.kind](service, job)
    except StorageFailed:
        raise
    except Exception as defect:  # noqa: BLE001 (one defect may not stop all other work)
        logger.error("job %s of %s raised %s", job.kind, job.subject, safe_traceback(defect))  # noqa: TRY400
    return await _after_a_defect(service, job)


async def _after_a_defect(service: Service, job: Job) -> Again | None:
    raised = await service.database.write(lambda c: defects.count(c, job.kind, job.subject))
    if raised < MOST_DEFECTS:
        doubled = AFTER_A_DEFECT * 2 ** min(max(raised - 1, 0), _DOUBLINGS)
        return Again(min(doubled, DEFECT_CAP))
    with log_and_continue(logger, f"job {job.kind} of {job.subject} cannot be given up"):
        await _GIVE_UP[job.kind](service, job)
        return None
    return Again(DEFECT_CAP)
