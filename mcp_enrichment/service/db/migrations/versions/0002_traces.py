"""requests remember the trace that they belong to"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("requests", sa.Column("traceparent", sa.String(length=55), nullable=True))
