"""The tables. Times are seconds since the epoch (UTC); ids of requests are 24 hex digits."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

metadata = MetaData()
BigNumber = BigInteger().with_variant(Integer, "sqlite")
"""For counts that may pass 2 ** 31. SQLite has one integer type, of 64 bits."""

# --- teams, their keys and their credits

teams = Table(
    "teams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("available", BigNumber, nullable=False),
    Column("held", BigNumber, nullable=False),
    # Sums of the ledger's entries by kind, so that totals need not read all entries.
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
    # Null: an operator's key, which opens the console and acts for no team.
    Column("team_id", ForeignKey("teams.id")),
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
    Index("callback_secrets_by_team", "team_id", "id"),
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
    Column("completed_at", Float),
    Column("source_attempts", Integer, nullable=False, server_default="0"),
    # Exceptions that its lookup raised; a callback counts those of its delivery.
    Column("handler_errors", Integer, nullable=False, server_default="0"),
    Column("traceparent", String(55)),
    # When its personal data was removed, for `reason`. The texts are empty then, not null: the
    # check below requires an email wherever a credit was settled.
    Column("redacted_at", Float),
    CheckConstraint("type IN ('work', 'personal')", name="requests_type_known"),
    CheckConstraint(
        "status IN ('pending', 'processing', 'completed', 'not-found', 'failed')",
        name="requests_status_known",
    ),
    CheckConstraint(
        "(status = 'completed') = (email IS NOT NULL)", name="requests_email_only_when_completed"
    ),
)

REDACTABLE = text("completed_at IS NOT NULL AND redacted_at IS NULL")
Index(
    "requests_redactable_by_completion",
    requests.c.completed_at,
    # The console counts outcomes and durations from the index alone. SQLite 3.40 also needs the
    # column of the condition in it for that.
    requests.c.status,
    requests.c.created_at,
    requests.c.redacted_at,
    sqlite_where=REDACTABLE,
    postgresql_where=REDACTABLE,
)
Index(
    "requests_redactable_by_profile",
    requests.c.linkedin_url,
    sqlite_where=REDACTABLE,
    postgresql_where=REDACTABLE,
)

RUNNING = text("status IN ('pending', 'processing')")
"""As in the partial index: with bound parameters the planner does not use it."""
NOT_FINAL = text("status NOT IN ('completed', 'not-found', 'failed')")
"""The same of requests that are named by their ids. With `RUNNING` Postgres may read them from the
partial index, all running requests for each id: it expects few there after a quiet hour."""
Index(
    "requests_one_running_duplicate",
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
        "(kind IN ('grant', 'correct')) = (request_id IS NULL)", name="ledger_entry_has_its_request"
    ),
    UniqueConstraint("request_id", "kind", name="ledger_one_entry_per_kind"),
    Index("ledger_by_team", "team_id", "id"),
)
Index(
    "ledger_one_settle_or_release",
    ledger.c.request_id,
    unique=True,
    sqlite_where=text("kind IN ('settle', 'release')"),
    postgresql_where=text("kind IN ('settle', 'release')"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("target_id", String(24), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("run_at", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", String(32)),
    Column("lease_until", Float),
    # The source at capacity that the lookup waits for.
    Column("waits_for", String(32)),
    CheckConstraint("kind IN ('look-up', 'deliver')", name="jobs_kind_known"),
    Index("jobs_by_time", "kind", "run_at"),
    Index("jobs_by_team", "kind", "waits_for", "team_id", "run_at"),
    Index("jobs_by_lease", "lease_until"),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("url", String(2048), nullable=False),
    Column("external_id", String(256)),
    Column("round", Integer, nullable=False),
    Column("handler_errors", Integer, nullable=False, server_default="0"),
    Index("callbacks_by_request", "request_id"),
)

callback_attempts = Table(
    "callback_attempts",
    metadata,
    Column("callback_id", ForeignKey("callbacks.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("outcome", String(32)),
    Column("http_status", Integer),
    CheckConstraint("number BETWEEN 1 AND 3", name="callback_attempts_at_most_three"),
    Index("callback_attempts_by_start", "started_at"),
)

# The readiness check writes here; nothing reads it.
write_checks = Table(
    "write_checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    CheckConstraint("id = 1", name="write_checks_are_one_row"),
)

# --- sources: calls, circuit breakers and limits

source_rate = Table(
    "source_rate",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("next_allowed_at", Float, nullable=False),
)

source_slots = Table(
    "source_slots",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("request_id", String(24), primary_key=True),
    Column("expires_at", Float, nullable=False),
)

source_calls = Table(
    "source_calls",
    metadata,
    Column("request_id", ForeignKey("requests.id"), primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("state", String(13), nullable=False),
    Column("claim_token", String(16), nullable=False),
    Column("vendor_job_id", String(200)),
    Column("next_poll_at", Float),
    Column("email", String(254)),
    Column("verification", String(10)),
    Column("checked_at", Float),
    Column("evidence", String(200)),
    Column("reason", String(32)),
    Column("cost", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("requested_at", Float, nullable=False),
    Column("answered_at", Float),
    CheckConstraint(
        "state IN ('requested', 'working', 'hit', 'miss', 'rejected', 'unavailable', 'lost',"
        " 'misconfigured')",
        name="source_calls_state_known",
    ),
    Index("source_calls_by_source", "source", "state", "answered_at"),
)

circuit_breakers = Table(
    "circuit_breakers",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("open_until", Float),
)

# --- contacts, and people's rights

# One row for each email and export source. The newest of a person's emails is chosen when they are
# read, so no import overwrites another.
contact_emails = Table(
    "contact_emails",
    metadata,
    # Empty where only the email is known.
    Column("linkedin_url", String(2048), primary_key=True),
    Column("type", String(8), primary_key=True),
    Column("email", String(254), primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("first_name", String, nullable=False),
    Column("last_name", String, nullable=False),
    Column("company", String, nullable=False),
    Column("position", String, nullable=False),
    Column("connected_on", String(10)),
    Column("seen_at", Float, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("imported_at", Float, nullable=False),
    CheckConstraint("type IN ('work', 'personal')", name="contact_emails_type_known"),
    Index("contact_emails_by_import", "imported_at"),
    # Rows are stored in key order, and the key, which is most of a row, is stored once.
    sqlite_with_rowid=False,
)

contact_persons = Table(
    "contact_persons",
    metadata,
    Column("linkedin_url", String(2048), primary_key=True),
    Column("first_name", String, nullable=False),
    Column("last_name", String, nullable=False),
    Column("company", String, nullable=False),
    Column("company_key", String(100), nullable=False),
    # The work email, in lower case; null if none is known.
    Column("email_local", String(64)),
    Column("email_domain", String(253)),
    Column("source", String(32), nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("imported_at", Float, nullable=False),
    Index("contact_persons_by_company", "company_key", "email_domain"),
    Index("contact_persons_by_domain", "email_domain", "email_local"),
    Index("contact_persons_by_import", "imported_at"),
)

inference_accuracy = Table(
    "inference_accuracy",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("writes", Integer, nullable=False),
    # The number of writes when the accuracy was computed: it is current while both are equal.
    Column("computed_at_write", Integer, nullable=False),
    Column("accuracy", String, nullable=False),
    CheckConstraint("id = 1", name="inference_accuracy_is_one_row"),
)

suppressions = Table(
    "suppressions",
    metadata,
    # A keyed hash of a profile or an email address: the person is not stored.
    Column("pseudonym", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("at", Float, nullable=False),
    CheckConstraint("kind IN ('profile', 'address')", name="suppressions_kind_known"),
)

privacy_key = Table(
    "privacy_key",
    metadata,
    # Identifies the key of these hashes without revealing it.
    Column("fingerprint", String(64), primary_key=True),
    # The key itself: on Postgres only, and only if none is configured, as all machines share it.
    Column("key", String(64)),
)

audit_log = Table(
    "audit_log",
    metadata,
    # Append-only: triggers reject updates and deletes.
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("actor", String(16), nullable=False),
    Column("action", String(16), nullable=False),
    Column("pseudonym", String(64)),
    Column("counts", String(1024), nullable=False),
    CheckConstraint("actor IN ('operator', 'service')", name="audit_log_actor_known"),
    CheckConstraint(
        "action IN ('suppress', 'lift', 'erase', 'export', 'reveal', 'import', 'expire')",
        name="audit_log_action_known",
    ),
    Index("audit_log_by_pseudonym", "pseudonym"),
)
