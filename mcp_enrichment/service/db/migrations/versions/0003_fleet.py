"""the queue of a fleet, on Postgres alone"""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

# As the package ships it, and fixed here: a new version of it comes with a migration of ours.
PROCRASTINATE = Path(__file__).parents[1] / "procrastinate-3.10.sql"

# What waits and what is worked on, in the columns that the embedded engine's table has.
JOBS = """
CREATE VIEW jobs AS SELECT
    (args ->> 'subject')::varchar AS subject,
    task_name AS kind,
    (args ->> 'team_id')::integer AS team_id,
    coalesce(extract(epoch FROM scheduled_at), (args ->> 'due_at')::numeric)::float8 AS due_at,
    attempts + (status = 'doing')::integer AS claims,
    CASE status WHEN 'doing' THEN coalesce(worker_id::text, 'nobody') END AS lease_owner,
    NULL::float8 AS lease_until
FROM procrastinate_jobs WHERE status IN ('todo', 'doing')
"""


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    no_parameters = {"no_parameters": True}  # its percent signs are its own
    bind.exec_driver_sql(PROCRASTINATE.read_text("utf-8"), execution_options=no_parameters)
    op.drop_table("jobs")
    bind.exec_driver_sql(JOBS, execution_options=no_parameters)
