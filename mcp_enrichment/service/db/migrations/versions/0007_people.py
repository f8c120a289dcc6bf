"""people of imported rows, and how right inferences are"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "people",
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
    op.create_index("people_of_a_company", "people", ["company_key", "email_domain"])
    op.create_index("people_of_a_domain", "people", ["email_domain", "email_local"])
    op.create_table(
        "inference_figures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("puts", sa.Integer(), nullable=False),
        sa.Column("of_puts", sa.Integer(), nullable=False),
        sa.Column("figures", sa.String(), nullable=False),
        sa.CheckConstraint("id = 1", name="inference_figures_are_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
