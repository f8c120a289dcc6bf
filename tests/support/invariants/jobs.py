"""Invariants of jobs: each has one worker, and once faults stop, all of them end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.invariants.evidence import Evidence

_RUNNING = "SELECT id, status FROM requests WHERE status IN ('pending', 'processing')"
_LEASES = "SELECT target_id, kind, lease_owner FROM jobs WHERE lease_owner IS NOT NULL"
_JOBS = "SELECT kind, count(*) FROM jobs GROUP BY kind"


def a_job_has_one_worker(evidence: Evidence) -> Iterator[str]:
    """No worker takes a job from a live worker. Checked only while the run is calm: a slow worker
    rightly loses its job."""
    leases = {(target, kind): owner for target, kind, owner in evidence.rows(_LEASES)}
    for job, owner in leases.items():
        if evidence.is_calm and evidence.leases.get(job, owner) != owner:
            yield f"the job {job[1]} of {job[0]} was taken from a live worker"
    evidence.leases.clear()
    evidence.leases.update(leases)


def everything_has_ended(evidence: Evidence) -> Iterator[str]:
    """Each request is final, no job is left, and no caller waits."""
    for request_id, status in evidence.rows(_RUNNING):
        yield f"request {request_id} is still {status}"
    for kind, jobs in evidence.rows(_JOBS):
        yield f"{jobs} jobs {kind} are left"
    yield from (f"{caller} still waits for an answer" for caller in evidence.unanswered)
