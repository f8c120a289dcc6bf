"""Teams, what they ask for, what it costs, and whom its end is told to."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from mcp_enrichment.service.db.schema.metadata import BigNumber, metadata

teams = Table(
    "teams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("available", BigNumber, nullable=False),
    Column("held", BigNumber, nullable=False),
    # What the ledger's entries sum up to, of each kind: reading all of them takes ever longer.
    Column("granted", BigNumber, nullable=False, server_default="0"),
    Column("corrected", BigNumber, nullable=False, server_default="0"),
    Column("settled", BigNumber, nullable=False, server_default="0"),
    Column("released", BigNumber, nullable=False, server_default="0"),
    Column("created_at", Float, nullable=False),
    CheckConstraint("available >= 0", name="teams_available_never_negative"),
    CheckConstraint("held >= 0", name="teams_held_never_negative"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)

callback_secrets = Table(
    "callback_secrets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("secret", String(128), nullable=False),
    Column("created_at", Float, nullable=False),
    Index("callback_secrets_of_a_team", "team_id", "id"),
)

requests = Table(
    "requests",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("linkedin_url", String(2048), nullable=False),
    Column("type", String(8), nullable=False),
    Column("status", String(10), nullable=False),
    Column("email", String(254)),
    Column("source", String(32)),
    Column("verification", String(10)),
    Column("checked_at", Float),
    Column("evidence", String(200)),
    Column("reason", String(32)),
    Column("external_id", String(256)),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("tries", Integer, nullable=False, server_default="0"),
    # How often its lookup raised; a callback has the same of its delivery.
    Column("defects", Integer, nullable=False, server_default="0"),
    Column("traceparent", String(55)),
    # When it was emptied, because of `reason`. The texts that it held are empty ones then, since
    # the check below wants an address wherever a credit was settled.
    Column("removed_at", Float),
    CheckConstraint("type IN ('work', 'personal')", name="requests_type_known"),
    CheckConstraint(
        "status IN ('pending', 'processing', 'completed', 'not-found', 'failed')",
        name="requests_status_known",
    ),
    CheckConstraint(
        "(status = 'completed') = (email IS NOT NULL)", name="requests_email_only_when_completed"
    ),
)

REMOVABLE = text("ended_at IS NOT NULL AND removed_at IS NULL")
Index(
    "requests_removable_by_end",
    requests.c.ended_at,
    sqlite_where=REMOVABLE,
    postgresql_where=REMOVABLE,
)

RUNNING = text("status IN ('pending', 'processing')")
"""As the partial index has it: with bound parameters the planner cannot see that it fits."""
Index(
    "requests_one_running_for_a_question",
    requests.c.team_id,
    requests.c.linkedin_url,
    requests.c.type,
    unique=True,
    sqlite_where=RUNNING,
    postgresql_where=RUNNING,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("created_at", Float, nullable=False),
    Index("idempotency_keys_by_age", "created_at"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", BigNumber, primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("request_id", ForeignKey("requests.id")),
    Column("kind", String(8), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("available_after", BigNumber, nullable=False),
    Column("reason", String(200)),
    Column("at", Float, nullable=False),
    CheckConstraint(
        "(kind IN ('grant', 'hold', 'settle', 'release') AND amount > 0)"
        " OR (kind = 'correct' AND amount <> 0 AND reason IS NOT NULL)",
        name="ledger_entry_known",
    ),
    CheckConstraint(
        "(kind IN ('grant', 'correct')) = (request_id IS NULL)", name="ledger_entry_has_its_subject"
    ),
    UniqueConstraint("request_id", "kind", name="ledger_one_of_a_kind"),
    Index("ledger_of_a_team", "team_id", "id"),
)
Index(
    "ledger_one_end",
    ledger.c.request_id,
    unique=True,
    sqlite_where=text("kind IN ('settle', 'release')"),
    postgresql_where=text("kind IN ('settle', 'release')"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("subject", String(24), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("lease_owner", String(32)),
    Column("lease_until", Float),
    CheckConstraint("kind IN ('look-up', 'deliver')", name="jobs_kind_known"),
    Index("jobs_due", "kind", "due_at"),
    Index("jobs_due_of_a_team", "kind", "team_id", "due_at"),
    Index("jobs_leased", "lease_until"),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("url", String(2048), nullable=False),
    Column("external_id", String(256)),
    Column("round", Integer, nullable=False),
    Column("defects", Integer, nullable=False, server_default="0"),
    Index("callbacks_of_a_request", "request_id"),
)

callback_tries = Table(
    "callback_tries",
    metadata,
    Column("callback_id", ForeignKey("callbacks.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", String(32)),
    Column("http_status", Integer),
    CheckConstraint("number BETWEEN 1 AND 3", name="callback_tries_at_most_three"),
)

# A service that is asked whether it is ready writes here; nobody reads it.
write_checks = Table(
    "write_checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    CheckConstraint("id = 1", name="write_checks_are_one_row"),
)
