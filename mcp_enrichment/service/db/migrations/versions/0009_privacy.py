"""people's rights: suppressions, an audit trail, and requests that can be emptied"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

REMOVABLE = sa.text("ended_at IS NOT NULL AND removed_at IS NULL")
ONLY_ADDED = "rows of audit are only ever added"


def upgrade() -> None:
    op.add_column("requests", sa.Column("removed_at", sa.Float(), nullable=True))
    op.create_index(
        "requests_removable_by_end",
        "requests",
        ["ended_at"],
        sqlite_where=REMOVABLE,
        postgresql_where=REMOVABLE,
    )
    op.create_table(
        "suppressions",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.CheckConstraint("kind IN ('profile', 'address')", name="suppressions_kind_known"),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_table(
        "privacy_key",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=True),
        sa.Column("counts", sa.String(length=1024), nullable=False),
        sa.CheckConstraint("actor IN ('operator', 'service')", name="audit_actor_known"),
        sa.CheckConstraint(
            "action IN ('suppress', 'lift', 'erase', 'export', 'import', 'expire')",
            name="audit_action_known",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_of_a_subject", "audit", ["subject"])
    if op.get_bind().dialect.name == "sqlite":
        _refuse_changes_on_sqlite()
    else:
        _refuse_changes_on_postgres()


def _refuse_changes_on_sqlite() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_refuses_{change.lower()} BEFORE {change} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{ONLY_ADDED}'); END"
        )


def _refuse_changes_on_postgres() -> None:
    op.execute(
        "CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{ONLY_ADDED}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_refuses BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses()"
    )
