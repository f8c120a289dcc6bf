-- Beside the tables on Postgres: the view of procrastinate's jobs, its indexes, the notification.

-- The jobs of procrastinate in the columns of SQLite's table `jobs`.
CREATE VIEW jobs AS SELECT
    (args ->> 'target_id')::varchar AS target_id,
    task_name AS kind,
    (args ->> 'team_id')::integer AS team_id,
    coalesce(extract(epoch FROM scheduled_at), (args ->> 'run_at')::numeric)::float8 AS run_at,
    attempts + (status = 'doing')::integer AS attempts,
    CASE status WHEN 'doing' THEN coalesce(worker_id::text, 'nobody') END AS lease_owner,
    NULL::float8 AS lease_until,
    CASE WHEN queue_name LIKE 'look-up/%' THEN substr(queue_name, 9) END AS waits_for
FROM procrastinate_jobs WHERE status IN ('todo', 'doing');

-- The first entry of a queue is its next job: see the statement that fetches it.
CREATE INDEX jobs_by_priority ON procrastinate_jobs (queue_name, priority DESC, id)
WHERE status = 'todo';

-- Callbacks are fetched team by team.
CREATE INDEX jobs_by_team
ON procrastinate_jobs (queue_name, ((args ->> 'team_id')::integer), scheduled_at)
WHERE status = 'todo';

CREATE FUNCTION notify_completion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('request_completed', NEW.id);
    RETURN NULL;
END;
$$;
CREATE TRIGGER requests_notify_completion AFTER UPDATE OF completed_at ON requests FOR EACH ROW
WHEN (OLD.completed_at IS NULL AND NEW.completed_at IS NOT NULL)
EXECUTE FUNCTION notify_completion();
