"""The invariant of liveness: once faults stop, everything ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.invariants.evidence import Evidence

_RUNNING = "SELECT id, status FROM requests WHERE status IN ('pending', 'processing')"
_JOBS = "SELECT kind, count(*) FROM jobs GROUP BY kind"


def everything_has_ended(evidence: Evidence) -> Iterator[str]:
    """No request runs, no job is left, and no caller waits."""
    for request_id, status in evidence.rows(_RUNNING):
        yield f"request {request_id} is still {status}"
    for kind, jobs in evidence.rows(_JOBS):
        yield f"{jobs} jobs {kind} are left"
    yield from (f"{caller} still waits for an answer" for caller in evidence.unanswered)
