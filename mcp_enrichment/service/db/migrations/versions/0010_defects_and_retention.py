"""defects counted apart from claims, what retention looks for indexed, and a table to write to"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("requests", "callbacks"):
        op.add_column(table, sa.Column("defects", sa.Integer(), nullable=False, server_default="0"))
    for table in ("contacts", "people"):
        op.create_index(f"{table}_by_import", table, ["imported_at"])
    op.create_table(
        "write_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.CheckConstraint("id = 1", name="write_checks_are_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
