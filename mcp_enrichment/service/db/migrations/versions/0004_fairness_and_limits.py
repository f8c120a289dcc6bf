"""whose turn it is: among teams on Postgres, and at a source everywhere"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# The first entry of a kind is the job that is next: see the statement that takes it.
NEXT = """
CREATE INDEX jobs_in_their_turn ON procrastinate_jobs (queue_name, priority DESC, id)
WHERE status = 'todo'
"""
# The same for one team's: callbacks are taken from team to team.
NEXT_OF_A_TEAM = """
CREATE INDEX jobs_due_of_a_team
ON procrastinate_jobs (queue_name, ((args ->> 'team_id')::integer), scheduled_at)
WHERE status = 'todo'
"""


def upgrade() -> None:
    op.create_table(
        "source_turns",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "source_lookups",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=24), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("has_begun", sa.Boolean(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", "request_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(NEXT)
        op.execute(NEXT_OF_A_TEAM)
