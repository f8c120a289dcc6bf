"""What the sources were asked, how they are, and whose turn it is at each."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from mcp_enrichment.service.db.schema.metadata import metadata

source_turns = Table(
    "source_turns",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("next_at", Float, nullable=False),
)

source_lookups = Table(
    "source_lookups",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("request_id", String(24), primary_key=True),
    Column("asked_at", Float, nullable=False),
    Column("has_begun", Boolean, nullable=False),
    Column("until", Float, nullable=False),
)

source_calls = Table(
    "source_calls",
    metadata,
    Column("request_id", ForeignKey("requests.id"), primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("state", String(13), nullable=False),
    Column("asker", String(16), nullable=False),
    Column("ticket", String(200)),
    Column("ask_at", Float),
    Column("email", String(254)),
    Column("verification", String(10)),
    Column("checked_at", Float),
    Column("evidence", String(200)),
    Column("reason", String(32)),
    Column("cost", Float, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("answered_at", Float),
    CheckConstraint(
        "state IN ('asked', 'working', 'hit', 'miss', 'refused', 'unavailable', 'lost',"
        " 'misconfigured')",
        name="source_calls_state_known",
    ),
    Index("source_calls_of_a_source", "source", "state", "answered_at"),
)

source_health = Table(
    "source_health",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("why", String(32), nullable=False),
    Column("left_alone_until", Float),
)
