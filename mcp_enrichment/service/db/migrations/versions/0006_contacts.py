"""every source's address of a contact is kept, with its date"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KEPT = "linkedin_url, type, email, source, first_name, last_name, company, position, connected_on, imported_at"


def upgrade() -> None:
    op.rename_table("contacts", "contacts_before")
    op.create_table(
        "contacts",
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
        sa.CheckConstraint("type IN ('work', 'personal')", name="contacts_type_known"),
        sa.PrimaryKeyConstraint("linkedin_url", "type", "email", "source"),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO contacts ({KEPT}, seen_at, rank)"  # noqa: S608 (all of it stands in this file)
        f" SELECT {KEPT}, imported_at, 0 FROM contacts_before"
    )
    op.drop_table("contacts_before")
