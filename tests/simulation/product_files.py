"""The two SQLite files of the product, each with one kind of transaction, in the calling thread."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.client.state.requests import SCHEMA
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.db.sqlite import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path


class ProductFile(Protocol):
    """A file that keeps names."""

    def __init__(self, folder: Path) -> None:
        """Open it; it is created if it is missing."""

    def add(self, name: str) -> None:
        """Add a name, in a transaction of several pages."""

    def names(self) -> set[str]:
        """The names of all committed transactions."""

    def close(self) -> None:
        """Close all connections."""


class ServiceFile:
    """The service's database, with a write-ahead log. A name is a team."""

    def __init__(self, folder: Path) -> None:
        self._database = open_sqlite(folder / "service.db")

    def add(self, name: str) -> None:
        self._database.write_now(lambda db: teams.add(db, name, 5, at=0))

    def names(self) -> set[str]:
        return {team.name for team in self._database.read_now(teams.list_all)}

    def close(self) -> None:
        self._database.close()


class StateFile:
    """The client's state file, with a rollback journal. A name is a list that is kept."""

    def __init__(self, folder: Path) -> None:
        self._file = SQLiteFile(folder / "memory.db", SCHEMA)

    def add(self, name: str) -> None:
        row = (name, "an account", 0, "0" * 9000)
        self._file._write(lambda db: db.execute("INSERT INTO saved_lists VALUES (?, ?, ?, ?)", row))

    def names(self) -> set[str]:
        select = "SELECT id FROM saved_lists"
        return {name for (name,) in self._file._write(lambda db: db.execute(select).fetchall())}

    def close(self) -> None:
        self._file._reader.close()
        self._file._writer.close()


def damage(folder: Path) -> list[str]:
    """What SQLite's check of all pages says about each database there, if it is not "ok"."""
    found = []
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(path)) as file:
            found += [line for (line,) in file.execute("PRAGMA integrity_check") if line != "ok"]
    return found
