"""Bringing a database to the newest schema: Alembic, run only where something is to be done."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from mcp_enrichment.contract.errors import StorageFailed, StorageFault

HEAD = "0013"
"""The newest revision in `migrations/versions`; a test holds it there."""


def upgrade(connection: Connection) -> None:
    """Migrate within the connection's transaction, so that two processes cannot do it at once.

    Raises `StorageFailed` for a database of a newer version, or of another program.
    """
    at, tables = revision(connection), inspect(connection).get_table_names()
    if ("teams" in tables) is (at is None) or (at is None and tables):
        raise StorageFailed(StorageFault.NOT_A_DATABASE)
    if at == HEAD:
        return
    # Alembic costs a tenth of a second to import, and a database is new only once.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if at is not None and at not in known:
        raise StorageFailed(StorageFault.NEWER_SCHEMA)
    command.upgrade(config, "head")


def revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for a new one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found else None
