"""what each source was asked and answered, how the sources are, and how an address was verified"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("requests", sa.Column("verification", sa.String(length=10), nullable=True))
    op.add_column("requests", sa.Column("checked_at", sa.Float(), nullable=True))
    op.add_column("requests", sa.Column("evidence", sa.String(length=200), nullable=True))
    op.create_table(
        "source_calls",
        sa.Column("request_id", sa.String(length=24), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=13), nullable=False),
        sa.Column("asker", sa.String(length=16), nullable=False),
        sa.Column("ticket", sa.String(length=200), nullable=True),
        sa.Column("ask_at", sa.Float(), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("verification", sa.String(length=10), nullable=True),
        sa.Column("checked_at", sa.Float(), nullable=True),
        sa.Column("evidence", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("answered_at", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "state IN ('asked', 'working', 'hit', 'miss', 'refused', 'unavailable', 'lost', 'misconfigured')",
            name="source_calls_state_known",
        ),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.PrimaryKeyConstraint("request_id", "source"),
    )
    op.create_index("source_calls_of_a_source", "source_calls", ["source", "state", "answered_at"])
    op.create_table(
        "source_health",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(length=32), nullable=False),
        sa.Column("left_alone_until", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("source"),
    )
