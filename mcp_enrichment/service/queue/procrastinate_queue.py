"""SQL of the queue on Postgres: procrastinate's tables and functions, in our own transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from mcp_enrichment.service.queue.job import JobKind

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
        WHERE requests.id = taken.args ->> 'target_id'
        AND requests.status NOT IN ('processing', 'completed', 'not-found', 'failed')
    )
    SELECT * FROM taken ORDER BY priority DESC, id
"""
"""Like `procrastinate_fetch_job_v2`, for up to `limit` jobs of one queue and without its locks. It
also sets the lookups' pending requests to `processing`; `NOT_FINAL` says why it names all other
statuses. That function takes a list of queues, so no index finds it the next job: with 100,000
lookups waiting it took 30 ms to look for a callback."""

FETCH_FAIRLY = """
    -- waiting_teams: the teams that have callbacks, each found by one step through the index
    WITH RECURSIVE waiting_teams (team_id) AS (
        SELECT min((args ->> 'team_id')::integer) FROM procrastinate_jobs
        WHERE status = 'todo' AND queue_name = %(queue)s
        UNION ALL
        SELECT (
            SELECT min((args ->> 'team_id')::integer) FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = %(queue)s
            AND (args ->> 'team_id')::integer > waiting_teams.team_id
        ) FROM waiting_teams WHERE waiting_teams.team_id IS NOT NULL
    -- in_turn: those of them with a due callback and room, the fewest under way first
    ), in_turn AS (
        SELECT waiting_teams.team_id FROM waiting_teams
        CROSS JOIN LATERAL (
            SELECT scheduled_at FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = %(queue)s
            AND (args ->> 'team_id')::integer = waiting_teams.team_id AND scheduled_at <= now()
            ORDER BY scheduled_at LIMIT 1
        ) AS oldest
        CROSS JOIN LATERAL (
            SELECT coalesce(
                (%(at_work)s::jsonb ->> waiting_teams.team_id::text)::integer, 0
            ) AS jobs
        ) AS at_work
        WHERE at_work.jobs < %(share)s ORDER BY at_work.jobs, oldest.scheduled_at
    -- taken: the oldest due callback of the first of them that is not locked
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
"""The same for one callback, of the team with the fewest under way (`at_work`, by team) among those
below `share`. The query steps through the index from team to team, as on SQLite, so no team's
backlog delays another team. A callback always has a `scheduled_at`."""

_THIS_OR_DROPPED = """
    WITH this AS (
        SELECT id, args ? 'superseded' AS is_superseded FROM procrastinate_jobs
        WHERE id = %(id)s AND status = 'doing' FOR UPDATE
    ), dropped AS (
        DELETE FROM procrastinate_jobs job USING this WHERE job.id = this.id AND is_superseded
    )
"""
"""Selects a running job that is to run again; one that was superseded is deleted instead. The row
lock orders this before or after `enqueue_again`."""

RETRY = f"""{_THIS_OR_DROPPED}
    SELECT procrastinate_retry_job_v2(id, %(retry_at)s, %(priority)s, %(queue)s, NULL)
    FROM this WHERE NOT is_superseded
"""  # noqa: S608 (constants alone)
"""Run a job again later: procrastinate's own function."""

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
"""Release a job as if it had not been fetched, into this queue. It keeps its place."""

_FAIR_PRIORITY = """
    -- A lookup goes behind the next one, by as many places as its team has lookups running. So
    -- teams take turns, each in the order of its own requests, and a team with a single request
    -- is next. An empty queue starts at 0 again.
    WITH next AS (
        SELECT first.priority FROM (
            SELECT 'look-up' UNION ALL SELECT 'look-up/' || source FROM source_rate
        ) AS queues (name) CROSS JOIN LATERAL (
            SELECT priority FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = queues.name
            AND (scheduled_at IS NULL OR scheduled_at <= now())
            ORDER BY priority DESC, id LIMIT 1
        ) AS first
    )
    SELECT greatest(
        -2147483647, coalesce((SELECT max(priority) FROM next), 0) - teams.held - 1
    )
    FROM requests JOIN teams ON teams.id = requests.team_id WHERE requests.id = :target_id
"""
"""The priority of a lookup: the higher is fetched first. All are 0 or less."""

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
_LOOK_UP_NOW = text("""
    UPDATE procrastinate_jobs SET scheduled_at = now()
    WHERE status = 'todo' AND queue_name = 'look-up' AND scheduled_at > now()
""")
_HAS_WAITING = text("""
    SELECT id FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = :queue LIMIT 1
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
_REQUEUE_JOBS_OF_DEAD_WORKERS = text("""
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
    """Add a job, in the transaction that makes it necessary. Its commit notifies the workers.

    The delay counts from the database's clock, which all processes share.
    """
    job = {"kind": kind.value, "target_id": target_id, "team_id": team_id}
    connection.execute(_DEFER, job | {"run_at": at + delay, "delay": float(delay)})


def enqueue_again(
    connection: Connection, kind: JobKind, target_id: str, *, team_id: int, at: float
) -> None:
    """Add a job that is due at once, in place of a waiting one. A running one ends and is not run
    again."""
    for statement in (_LOCK, _WITHDRAW, _SUPERSEDE):
        connection.execute(statement, {"kind": kind.value, "target_id": target_id})
    enqueue(connection, kind, target_id, team_id=team_id, at=at)


def look_up_now(connection: Connection, *, at: float) -> None:  # noqa: ARG001 (the server's clock)
    """Make the lookups that were rescheduled due now. Workers see them at their next poll."""
    connection.execute(_LOOK_UP_NOW)


def fair_priority(connection: Connection, request_id: str) -> int:
    """The priority of a lookup that is queued now."""
    return int(connection.execute(text(_FAIR_PRIORITY), {"target_id": request_id}).scalar_one())


def delete_done(connection: Connection, ids: Collection[int]) -> None:
    """Delete jobs that are done. A job that another worker has taken over may be gone already."""
    connection.execute(_DELETE_DONE, {"ids": list(ids)})


def queue_of_source(source: str) -> str:
    """The name of the queue of the lookups that wait for a slot at this source."""
    return f"look-up/{source}"


def has_waiting(connection: Connection, source: str) -> bool:
    """Whether a lookup waits for a slot at this source."""
    return connection.execute(_HAS_WAITING, {"queue": queue_of_source(source)}).first() is not None


def fetch_waiting(connection: Connection, source: str, worker_id: int) -> dict[str, Any] | None:
    """The row of the next lookup that waits for this source, fetched for the worker."""
    what = {"queue": queue_of_source(source), "worker_id": worker_id, "limit": 1}
    row = connection.exec_driver_sql(FETCH, what).mappings().first()
    return dict(row) if row else None


def release_unlimited(connection: Connection, sources: Collection[str]) -> None:
    """Release the lookups that wait for a source which has no limit any more."""
    connection.execute(_RELEASE_UNLIMITED, {"sources": list(sources)})


def requeue_jobs_of_dead_workers(connection: Connection, *, silent: float) -> int:
    """Requeue the jobs of workers without a heartbeat for so many seconds; the number of jobs."""
    connection.execute(_DROP_SUPERSEDED, {"silent": silent})
    return int(connection.execute(_REQUEUE_JOBS_OF_DEAD_WORKERS, {"silent": silent}).scalar_one())


def claimed_by(connection: Connection, worker_id: int) -> set[int]:
    """The ids of the jobs that the worker has fetched and not finished."""
    return set(connection.execute(_CLAIMED_BY, {"worker_id": worker_id}).scalars())


def requeue(connection: Connection, worker_id: int, ids: Collection[int]) -> None:
    """Requeue these jobs of the worker."""
    connection.execute(_REQUEUE, {"worker_id": worker_id, "ids": list(ids)})
