"""The program, killed before its first migration commits: `… -m tests.support.killed_migration`."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from mcp_enrichment.cli import main
from mcp_enrichment.service.db import migrate, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection


def upgrade_and_die(connection: Connection) -> None:
    migrate.upgrade(connection)
    signal.raise_signal(signal.SIGKILL)


if __name__ == "__main__":
    sqlite.upgrade = upgrade_and_die
    main()
