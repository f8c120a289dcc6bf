"""Statements on the queue of a fleet: procrastinate's tables, by its own functions, in the
transactions that make a job necessary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from mcp_enrichment.service.queue.sqlite_queue import JobKind

FETCH = """
    WITH next AS (
        SELECT id FROM procrastinate_jobs
        WHERE status = 'todo' AND queue_name = %(queue)s
        AND (scheduled_at IS NULL OR scheduled_at <= now())
        ORDER BY priority DESC, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE procrastinate_jobs job SET status = 'doing', worker_id = %(worker_id)s
        FROM next WHERE job.id = next.id
        RETURNING job.id, status, task_name, priority, lock, queueing_lock, args, scheduled_at,
                  queue_name, attempts, worker_id
    ), begun AS (
        UPDATE requests SET status = 'processing' FROM taken
        WHERE requests.id = taken.args ->> 'target_id' AND requests.status = 'pending'
    )
    SELECT * FROM taken ORDER BY priority DESC, id
"""
"""What `procrastinate_fetch_job_v2` does, for up to `limit` jobs at once, less its locks, which no
job of ours has; and the lookups' requests begin with it, in one commit. That function is for any
list of queues, so no index gives it the next job of one: with 100,000 lookups waiting each look for
a callback took it 30 ms, and before the statistics were fresh each look for a lookup 100 ms."""

FETCH_FAIRLY = """
    WITH RECURSIVE owners (team_id) AS (
        SELECT min((args ->> 'team_id')::integer) FROM procrastinate_jobs
        WHERE status = 'todo' AND queue_name = %(queue)s
        UNION ALL
        SELECT (
            SELECT min((args ->> 'team_id')::integer) FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = %(queue)s
            AND (args ->> 'team_id')::integer > owners.team_id
        ) FROM owners WHERE owners.team_id IS NOT NULL
    ), in_turn AS (
        SELECT owners.team_id FROM owners
        CROSS JOIN LATERAL (
            SELECT scheduled_at FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = %(queue)s
            AND (args ->> 'team_id')::integer = owners.team_id AND scheduled_at <= now()
            ORDER BY scheduled_at LIMIT 1
        ) AS oldest
        CROSS JOIN LATERAL (
            SELECT coalesce((%(at_work)s::jsonb ->> owners.team_id::text)::integer, 0) AS jobs
        ) AS at_work
        WHERE at_work.jobs < %(share)s ORDER BY at_work.jobs, oldest.scheduled_at
    ), taken AS (
        UPDATE procrastinate_jobs SET status = 'doing', worker_id = %(worker_id)s
        WHERE id = (
            SELECT next.id FROM in_turn CROSS JOIN LATERAL (
                SELECT id FROM procrastinate_jobs
                WHERE status = 'todo' AND queue_name = %(queue)s
                AND (args ->> 'team_id')::integer = in_turn.team_id AND scheduled_at <= now()
                ORDER BY scheduled_at LIMIT 1 FOR UPDATE SKIP LOCKED
            ) AS next LIMIT 1
        )
        RETURNING id, status, task_name, priority, lock, queueing_lock, args, scheduled_at,
                  queue_name, attempts, worker_id
    )
    SELECT * FROM taken
"""
"""The same for callbacks, of the team with the fewest at work among those with fewer than `share`:
`at_work` has how many there are of each. The index is walked from team to team, as the embedded
queue's is, so that no team's backlog keeps another one waiting. A callback always has its time."""

_THIS_OR_DROPPED = """
    WITH this AS (
        SELECT id, args ? 'superseded' AS is_superseded FROM procrastinate_jobs
        WHERE id = %(id)s AND status = 'doing' FOR UPDATE
    ), dropped AS (
        DELETE FROM procrastinate_jobs job USING this WHERE job.id = this.id AND is_superseded
    )
"""
"""A job at work that is to be done again; one that was superseded meanwhile is dropped. The lock on
its row has `put_again` come before this or after it."""

RETRY = f"""{_THIS_OR_DROPPED}
    SELECT procrastinate_retry_job_v2(id, %(retry_at)s, %(priority)s, %(queue)s, NULL)
    FROM this WHERE NOT is_superseded
"""  # noqa: S608 (constants alone)
"""What procrastinate says to have a job done again later."""

RELEASE = f"""{_THIS_OR_DROPPED}, given_back AS (
        UPDATE procrastinate_jobs job
        SET status = 'todo', worker_id = NULL, scheduled_at = now(), queue_name = %(queue)s
        FROM this WHERE job.id = this.id AND NOT is_superseded RETURNING job.id, queue_name
    )
    SELECT pg_notify(
        'procrastinate_queue_v1#' || queue_name,
        json_build_object('type', 'job_inserted', 'job_id', id)::text
    ) FROM given_back
"""  # noqa: S608 (constants alone)
"""Have a job done by another worker, at once, as if it had not been taken: of the same queue, or of
the line at a source. It keeps its place."""

_FAIR_PRIORITY = """
    SELECT -least(2147483647, teams.held + 1 + coalesce((
        SELECT min(-first.priority) FROM (
            SELECT 'look-up' UNION ALL SELECT 'look-up/' || source FROM source_rate
        ) AS queues (name) CROSS JOIN LATERAL (
            SELECT priority FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = queues.name
            AND (scheduled_at IS NULL OR scheduled_at <= now())
            ORDER BY priority DESC, id LIMIT 1
        ) AS first
    ), 0))
    FROM requests JOIN teams ON teams.id = requests.team_id WHERE requests.id = :target_id
"""
"""A lookup's place among those of all teams: as many behind the one that is next as its team has
running. So teams take turns, each within its own requests in their order, and who has one alone is
next, whatever the others have waiting. No place outlasts the queue: an empty one begins at 0."""
_DEFER = text(f"""
    SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
        CAST(:kind AS varchar), CAST(:kind AS varchar), coalesce(({_FAIR_PRIORITY}), 0), NULL, NULL,
        jsonb_build_object(
            'target_id', CAST(:target_id AS varchar), 'run_at', CAST(:run_at AS numeric),
            'team_id', CAST(:team_id AS integer)
        ),
        CASE WHEN :delay > 0 OR :kind = 'deliver' THEN now() + make_interval(secs => :delay) END
    )]::procrastinate_job_to_defer_v1[])
""")
_RELEASE_UNLIMITED = text("""
    UPDATE procrastinate_jobs SET queue_name = 'look-up'
    WHERE status = 'todo' AND queue_name IN (
        SELECT 'look-up/' || source FROM source_rate WHERE source <> ALL(:sources)
    )
""")
_LOCK = text("""
    SELECT id FROM procrastinate_jobs
    WHERE task_name = :kind AND args ->> 'target_id' = :target_id AND status IN ('todo', 'doing')
    FOR UPDATE
""")
_SUPERSEDE = text("""
    UPDATE procrastinate_jobs SET args = args || jsonb_build_object('superseded', true)
    WHERE status = 'doing' AND task_name = :kind AND args ->> 'target_id' = :target_id
""")
_WITHDRAW = text("""
    SELECT procrastinate_cancel_job_v1(id, abort => false, delete_job => true)
    FROM procrastinate_jobs
    WHERE status = 'todo' AND task_name = :kind AND args ->> 'target_id' = :target_id
""")
_DELETE_DONE = text("""
    DELETE FROM procrastinate_jobs WHERE id = ANY(:ids) AND status IN ('todo', 'doing')
""")
_REQUEUE_STALLED = text("""
    SELECT count(procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)) FROM (
        SELECT jobs.id FROM procrastinate_jobs jobs
        LEFT JOIN procrastinate_workers worker ON worker.id = jobs.worker_id
        WHERE jobs.status = 'doing' AND NOT jobs.args ? 'superseded'
        AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :silent))
        FOR UPDATE OF jobs SKIP LOCKED
    ) AS left_behind
""")
_DROP_SUPERSEDED = text("""
    DELETE FROM procrastinate_jobs jobs WHERE status = 'doing' AND args ? 'superseded'
    AND NOT EXISTS (
        SELECT FROM procrastinate_workers worker WHERE worker.id = jobs.worker_id
        AND worker.last_heartbeat >= now() - make_interval(secs => :silent)
    )
""")
_CLAIMED_BY = text("""
    SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = :worker_id
""")
_REQUEUE = text("""
    SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs
    WHERE status = 'doing' AND worker_id = :worker_id AND id = ANY(:ids)
""")


def enqueue(
    connection: Connection,
    kind: JobKind,
    target_id: str,
    *,
    team_id: int,
    at: float,
    delay: float = 0,
) -> None:
    """Add a job, in the transaction that makes it necessary. Its commit wakes the workers.

    The delay counts from the database's own time, which is the same for all processes.
    """
    job = {"kind": kind.value, "target_id": target_id, "team_id": team_id}
    connection.execute(_DEFER, job | {"run_at": at + delay, "delay": float(delay)})


def enqueue_again(
    connection: Connection, kind: JobKind, target_id: str, *, team_id: int, at: float
) -> None:
    """Add a job that is due at once; one that waits for its time goes. One at work is finished, and
    does not come again."""
    for statement in (_LOCK, _WITHDRAW, _SUPERSEDE):
        connection.execute(statement, {"kind": kind.value, "target_id": target_id})
    enqueue(connection, kind, target_id, team_id=team_id, at=at)


def fair_priority(connection: Connection, request_id: str) -> int:
    """The priority of a lookup that takes its turn now."""
    return int(connection.execute(text(_FAIR_PRIORITY), {"target_id": request_id}).scalar_one())


def delete_done(connection: Connection, ids: Collection[int]) -> None:
    """Remove jobs that are done; what is gone, as after it was taken over, is left at that."""
    connection.execute(_DELETE_DONE, {"ids": list(ids)})


def queue_of_source(source: str) -> str:
    """The queue of the lookups that wait for their turn at this source."""
    return f"look-up/{source}"


def release_unlimited(connection: Connection, sources: Collection[str]) -> None:
    """Have those looked up that wait for a turn at another source: it has no limit any more."""
    connection.execute(_RELEASE_UNLIMITED, {"sources": list(sources)})


def requeue_stalled(connection: Connection, *, silent: float) -> int:
    """Have the jobs done anew whose workers were not heard of for so many seconds; how many."""
    connection.execute(_DROP_SUPERSEDED, {"silent": silent})
    return int(connection.execute(_REQUEUE_STALLED, {"silent": silent}).scalar_one())


def claimed_by(connection: Connection, worker_id: int) -> set[int]:
    """The jobs that the worker has taken and not finished."""
    return set(connection.execute(_CLAIMED_BY, {"worker_id": worker_id}).scalars())


def requeue(connection: Connection, worker_id: int, ids: Collection[int]) -> None:
    """Have these jobs of the worker done anew."""
    connection.execute(_REQUEUE, {"worker_id": worker_id, "ids": list(ids)})
