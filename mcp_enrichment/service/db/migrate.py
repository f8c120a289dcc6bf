"""Migrates a database to the newest schema with Alembic, if it is not there yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from mcp_enrichment.contract.errors import StorageFailed, StorageFault

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
"""The newest revision in `migrations/versions`; a test compares the two."""
PROCRASTINATE_SCHEMA = "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"
"""SHA-256 of procrastinate's schema at that revision. The first migration applies the schema of the
installed package; a package with another one needs a new migration."""


def upgrade(connection: Connection) -> None:
    """Migrate within the connection's transaction, so that two processes cannot do it at once.

    Raises `StorageFailed` for a database of a newer version, or of another program.
    """
    if _revision_of_ours(connection) == HEAD:
        return
    # Alembic costs a tenth of a second to import, and a database is new only once.
    from alembic import command  # noqa: PLC0415

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def require_head(connection: Connection) -> None:
    """Raise `StorageFailed` if `upgrade` would raise it, or would migrate."""
    if _revision_of_ours(connection) != HEAD:
        raise StorageFailed(StorageFault.OLDER_SCHEMA)


def revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for a new one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found else None


def _revision_of_ours(connection: Connection) -> str | None:
    at, tables = revision(connection), inspect(connection).get_table_names()
    if ("teams" in tables) is (at is None) or (at is None and tables):
        raise StorageFailed(StorageFault.NOT_A_DATABASE)
    if at not in (None, HEAD) and at not in _known():
        raise StorageFailed(StorageFault.NEWER_SCHEMA)
    return at


def _known() -> set[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
