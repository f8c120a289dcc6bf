"""Statements on the queue of a fleet: procrastinate's tables, by its own functions, in the
transactions that make a job necessary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from mcp_enrichment.service.store.jobs import JobKind

_DEFER = text("""
    SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
        CAST(:kind AS varchar), CAST(:kind AS varchar), 0, NULL, NULL,
        jsonb_build_object(
            'subject', CAST(:subject AS varchar), 'due_at', CAST(:due_at AS numeric)
        ),
        CASE WHEN :delay > 0 THEN now() + make_interval(secs => :delay) END
    )]::procrastinate_job_to_defer_v1[])
""")
_WITHDRAW = text("""
    SELECT procrastinate_cancel_job_v1(id, abort => false, delete_job => true)
    FROM procrastinate_jobs
    WHERE status = 'todo' AND task_name = :kind AND args ->> 'subject' = :subject
""")
_OF_SILENT_WORKERS = text("""
    SELECT count(procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)) FROM (
        SELECT jobs.id FROM procrastinate_jobs jobs
        LEFT JOIN procrastinate_workers worker ON worker.id = jobs.worker_id
        WHERE jobs.status = 'doing'
        AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :silent))
        FOR UPDATE OF jobs SKIP LOCKED
    ) AS left_behind
""")
_OF_WORKER = text("""
    SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = :worker_id
""")
_PUT_BACK = text("""
    SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs
    WHERE status = 'doing' AND worker_id = :worker_id AND id = ANY(:ids)
""")


def put(
    connection: Connection, kind: JobKind, subject: str, *, at: float, delay: float = 0
) -> None:
    """Add a job, in the transaction that makes it necessary. Its commit wakes the workers.

    The delay counts from the database's own time, which is the same for all processes.
    """
    job = {"kind": kind.value, "subject": subject, "due_at": at + delay, "delay": float(delay)}
    connection.execute(_DEFER, job)


def put_again(connection: Connection, kind: JobKind, subject: str, *, at: float) -> None:
    """Add a job that is due at once; one that waits for its time goes, one at work stays."""
    connection.execute(_WITHDRAW, {"kind": kind.value, "subject": subject})
    put(connection, kind, subject, at=at)


def take_over(connection: Connection, *, silent: float) -> int:
    """Have the jobs done anew whose workers were not heard of for so many seconds; how many."""
    return int(connection.execute(_OF_SILENT_WORKERS, {"silent": silent}).scalar_one())


def held_by(connection: Connection, worker_id: int) -> set[int]:
    """The jobs that the worker has taken and not finished."""
    return set(connection.execute(_OF_WORKER, {"worker_id": worker_id}).scalars())


def put_back(connection: Connection, worker_id: int, ids: Collection[int]) -> None:
    """Have these jobs of the worker done anew."""
    connection.execute(_PUT_BACK, {"worker_id": worker_id, "ids": list(ids)})
