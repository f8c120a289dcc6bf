"""The first schema: the service's tables, and on Postgres procrastinate's with our view of them.

The tables are those of `schema.py` while nothing is released. The first release replaces
`create_all` by the tables as they are then: from there on, each change is a migration of its own.
"""

from importlib import resources
from pathlib import Path

from alembic import op

from mcp_enrichment.service.db import schema

revision = "0001"
down_revision = None

NO_PARAMETERS = {"no_parameters": True}
"""SQLAlchemy's option for SQL whose percent signs are literal."""
OURS = Path(__file__).parents[1] / "postgres.sql"
APPEND_ONLY = "rows of audit_log are only ever added"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        schema.metadata.create_all(op.get_bind(), checkfirst=False)
        _make_audit_log_append_only_on_sqlite()
    else:
        # On Postgres `jobs` is a view of procrastinate's jobs.
        tables = [table for table in schema.metadata.sorted_tables if table is not schema.jobs]
        schema.metadata.create_all(op.get_bind(), tables, checkfirst=False)
        _make_audit_log_append_only_on_postgres()
        _create_queue()


def _create_queue() -> None:
    """Create procrastinate's schema, as the installed package ships it, and the view `jobs`."""
    for file in (resources.files("procrastinate.sql") / "schema.sql", OURS):
        statements = file.read_text("utf-8")
        op.get_bind().exec_driver_sql(statements, execution_options=NO_PARAMETERS)


def _make_audit_log_append_only_on_sqlite() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_log_rejects_{change.lower()} BEFORE {change} ON audit_log "
            f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        )


def _make_audit_log_append_only_on_postgres() -> None:
    op.execute(
        "CREATE FUNCTION audit_log_rejects() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_log_rejects BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_rejects()"
    )
