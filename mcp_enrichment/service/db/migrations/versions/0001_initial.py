"""The first schema: the service's tables, and on Postgres procrastinate's with our view of them."""

from importlib import resources
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BigNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NO_PARAMETERS = {"no_parameters": True}
"""SQLAlchemy's option for SQL whose percent signs are literal."""
OURS = Path(__file__).parents[1] / "postgres.sql"
APPEND_ONLY = "rows of audit_log are only ever added"


def upgrade() -> None:
    _create_tables()
    if op.get_bind().dialect.name == "sqlite":
        _make_audit_log_append_only_on_sqlite()
    else:
        _make_audit_log_append_only_on_postgres()
        _create_queue()


def _create_queue() -> None:
    """Replace the table `jobs` by procrastinate's schema, as the installed package ships it."""
    op.drop_table("jobs")
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


def _create_tables() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("pseudonym", sa.String(length=64), nullable=True),
        sa.Column("counts", sa.String(length=1024), nullable=False),
        sa.CheckConstraint(
            "action IN ('suppress', 'lift', 'erase', 'export', 'reveal', 'import', 'expire')",
            name="audit_log_action_known",
        ),
        sa.CheckConstraint("actor IN ('operator', 'service')", name="audit_log_actor_known"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_log_by_pseudonym", "audit_log", ["pseudonym"], unique=False)
    op.create_table(
        "circuit_breakers",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("open_until", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "contact_emails",
        sa.Column("linkedin_url", sa.String(length=2048), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("first_name", sa.String(), nullable=False),
        sa.Column("last_name", sa.String(), nullable=False),
        sa.Column("company", sa.String(), nullable=False),
        sa.Column("position", sa.String(), nullable=False),
        sa.Column("connected_on", sa.String(length=10), nullable=True),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("imported_at", sa.Float(), nullable=False),
        sa.CheckConstraint("type IN ('work', 'personal')", name="contact_emails_type_known"),
        sa.PrimaryKeyConstraint("linkedin_url", "type", "email", "source"),
        sqlite_with_rowid=False,
    )
    op.create_index("contact_emails_by_import", "contact_emails", ["imported_at"], unique=False)
    op.create_table(
        "contact_persons",
        sa.Column("linkedin_url", sa.String(length=2048), nullable=False),
        sa.Column("first_name", sa.String(), nullable=False),
        sa.Column("last_name", sa.String(), nullable=False),
        sa.Column("company", sa.String(), nullable=False),
        sa.Column("company_key", sa.String(length=100), nullable=False),
        sa.Column("email_local", sa.String(length=64), nullable=True),
        sa.Column("email_domain", sa.String(length=253), nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("imported_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("linkedin_url"),
    )
    op.create_index(
        "contact_persons_by_company",
        "contact_persons",
        ["company_key", "email_domain"],
        unique=False,
    )
    op.create_index(
        "contact_persons_by_domain",
        "contact_persons",
        ["email_domain", "email_local"],
        unique=False,
    )
    op.create_index("contact_persons_by_import", "contact_persons", ["imported_at"], unique=False)
    op.create_table(
        "inference_accuracy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("writes", sa.Integer(), nullable=False),
        sa.Column("computed_at_write", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.String(), nullable=False),
        sa.CheckConstraint("id = 1", name="inference_accuracy_is_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "privacy_key",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_table(
        "source_rate",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("next_allowed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "source_slots",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=24), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", "request_id"),
    )
    op.create_table(
        "suppressions",
        sa.Column("pseudonym", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.CheckConstraint("kind IN ('profile', 'address')", name="suppressions_kind_known"),
        sa.PrimaryKeyConstraint("pseudonym"),
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("available", BigNumber, nullable=False),
        sa.Column("held", BigNumber, nullable=False),
        sa.Column("granted", BigNumber, server_default="0", nullable=False),
        sa.Column("corrected", BigNumber, server_default="0", nullable=False),
        sa.Column("settled", BigNumber, server_default="0", nullable=False),
        sa.Column("released", BigNumber, server_default="0", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.CheckConstraint("available >= 0", name="teams_available_never_negative"),
        sa.CheckConstraint("held >= 0", name="teams_held_never_negative"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "write_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.CheckConstraint("id = 1", name="write_checks_are_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "callback_secrets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("callback_secrets_by_team", "callback_secrets", ["team_id", "id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("target_id", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=32), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("waits_for", sa.String(length=32), nullable=True),
        sa.CheckConstraint("kind IN ('look-up', 'deliver')", name="jobs_kind_known"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"]),
        sa.PrimaryKeyConstraint("target_id", "kind"),
    )
    op.create_index("jobs_by_lease", "jobs", ["lease_until"], unique=False)
    op.create_index(
        "jobs_by_team", "jobs", ["kind", "waits_for", "team_id", "run_at"], unique=False
    )
    op.create_index("jobs_by_time", "jobs", ["kind", "run_at"], unique=False)
    op.create_table(
        "requests",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("linkedin_url", sa.String(length=2048), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("source", sa.String(length=32), nullable=True),
        sa.Column("verification", sa.String(length=10), nullable=True),
        sa.Column("checked_at", sa.Float(), nullable=True),
        sa.Column("evidence", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("external_id", sa.String(length=256), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("completed_at", sa.Float(), nullable=True),
        sa.Column("source_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("handler_errors", sa.Integer(), server_default="0", nullable=False),
        sa.Column("traceparent", sa.String(length=55), nullable=True),
        sa.Column("redacted_at", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "(status = 'completed') = (email IS NOT NULL)",
            name="requests_email_only_when_completed",
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'processing', 'completed', 'not-found', 'failed')",
            name="requests_status_known",
        ),
        sa.CheckConstraint("type IN ('work', 'personal')", name="requests_type_known"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "requests_one_running_duplicate",
        "requests",
        ["team_id", "linkedin_url", "type"],
        unique=True,
        sqlite_where=sa.text("status IN ('pending', 'processing')"),
        postgresql_where=sa.text("status IN ('pending', 'processing')"),
    )
    op.create_index(
        "requests_redactable_by_completion",
        "requests",
        ["completed_at", "status", "created_at", "redacted_at"],
        unique=False,
        sqlite_where=sa.text("completed_at IS NOT NULL AND redacted_at IS NULL"),
        postgresql_where=sa.text("completed_at IS NOT NULL AND redacted_at IS NULL"),
    )
    op.create_index(
        "requests_redactable_by_profile",
        "requests",
        ["linkedin_url"],
        unique=False,
        sqlite_where=sa.text("completed_at IS NOT NULL AND redacted_at IS NULL"),
        postgresql_where=sa.text("completed_at IS NOT NULL AND redacted_at IS NULL"),
    )
    op.create_table(
        "callbacks",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("request_id", sa.String(length=24), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("external_id", sa.String(length=256), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("handler_errors", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("callbacks_by_request", "callbacks", ["request_id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=24), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"]),
        sa.PrimaryKeyConstraint("team_id", "key"),
    )
    op.create_index("idempotency_keys_by_age", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("id", BigNumber, nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=24), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("available_after", BigNumber, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('grant', 'correct')) = (request_id IS NULL)",
            name="ledger_entry_has_its_request",
        ),
        sa.CheckConstraint(
            "(kind IN ('grant', 'hold', 'settle', 'release') AND amount > 0) OR (kind = 'correct' AND amount <> 0 AND reason IS NOT NULL)",
            name="ledger_entry_known",
        ),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id", "kind", name="ledger_one_entry_per_kind"),
    )
    op.create_index("ledger_by_team", "ledger", ["team_id", "id"], unique=False)
    op.create_index(
        "ledger_one_settle_or_release",
        "ledger",
        ["request_id"],
        unique=True,
        sqlite_where=sa.text("kind IN ('settle', 'release')"),
        postgresql_where=sa.text("kind IN ('settle', 'release')"),
    )
    op.create_table(
        "source_calls",
        sa.Column("request_id", sa.String(length=24), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=13), nullable=False),
        sa.Column("claim_token", sa.String(length=16), nullable=False),
        sa.Column("vendor_job_id", sa.String(length=200), nullable=True),
        sa.Column("next_poll_at", sa.Float(), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("verification", sa.String(length=10), nullable=True),
        sa.Column("checked_at", sa.Float(), nullable=True),
        sa.Column("evidence", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.Float(), nullable=False),
        sa.Column("answered_at", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "state IN ('requested', 'working', 'hit', 'miss', 'rejected', 'unavailable', 'lost', 'misconfigured')",
            name="source_calls_state_known",
        ),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.PrimaryKeyConstraint("request_id", "source"),
    )
    op.create_index(
        "source_calls_by_source", "source_calls", ["source", "state", "answered_at"], unique=False
    )
    op.create_table(
        "callback_attempts",
        sa.Column("callback_id", sa.String(length=24), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.CheckConstraint("number BETWEEN 1 AND 3", name="callback_attempts_at_most_three"),
        sa.ForeignKeyConstraint(["callback_id"], ["callbacks.id"]),
        sa.PrimaryKeyConstraint("callback_id", "round", "number"),
    )
    op.create_index("callback_attempts_by_start", "callback_attempts", ["started_at"], unique=False)
