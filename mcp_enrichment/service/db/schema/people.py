"""What is known about people, who is to be left out, and who did what to it."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
)

from mcp_enrichment.service.db.schema.metadata import metadata

# One row for an address as one source has it: which of a person's addresses answers is decided
# where it is read, by the newest, so that no import takes anything from another.
contacts = Table(
    "contacts",
    metadata,
    # Empty where only the address is known.
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
    CheckConstraint("type IN ('work', 'personal')", name="contacts_type_known"),
    Index("contacts_by_import", "imported_at"),
    # The rows lie in their key's order, and the key, which is most of a row, is stored once.
    sqlite_with_rowid=False,
)

people = Table(
    "people",
    metadata,
    Column("linkedin_url", String(2048), primary_key=True),
    Column("first_name", String, nullable=False),
    Column("last_name", String, nullable=False),
    Column("company", String, nullable=False),
    Column("company_key", String(100), nullable=False),
    # Of the work address, in lower case; null where none is known.
    Column("email_local", String(64)),
    Column("email_domain", String(253)),
    Column("source", String(32), nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("imported_at", Float, nullable=False),
    Index("people_of_a_company", "company_key", "email_domain"),
    Index("people_of_a_domain", "email_domain", "email_local"),
    Index("people_by_import", "imported_at"),
)

inference_figures = Table(
    "inference_figures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("puts", Integer, nullable=False),
    # After how many puts the figures were worked out: they hold where it is the number of all.
    Column("of_puts", Integer, nullable=False),
    Column("figures", String, nullable=False),
    CheckConstraint("id = 1", name="inference_figures_are_one_row"),
)

suppressions = Table(
    "suppressions",
    metadata,
    # A keyed hash of a profile or of an address: whom it is about is not kept.
    Column("subject", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("at", Float, nullable=False),
    CheckConstraint("kind IN ('profile', 'address')", name="suppressions_kind_known"),
)

privacy_key = Table(
    "privacy_key",
    metadata,
    # Tells the key of all those hashes from another one, and does not tell the key.
    Column("fingerprint", String(64), primary_key=True),
    # The key itself, on Postgres alone and only where none is set: all machines need the same one.
    Column("key", String(64)),
)

audit = Table(
    "audit",
    metadata,
    # Rows are only ever added: triggers refuse all else.
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("actor", String(16), nullable=False),
    Column("action", String(16), nullable=False),
    Column("subject", String(64)),
    Column("counts", String(1024), nullable=False),
    CheckConstraint("actor IN ('operator', 'service')", name="audit_actor_known"),
    CheckConstraint(
        "action IN ('suppress', 'lift', 'erase', 'export', 'import', 'expire')",
        name="audit_action_known",
    ),
    Index("audit_of_a_subject", "subject"),
)
