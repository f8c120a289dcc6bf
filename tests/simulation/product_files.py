"""The two SQLite files of the product. Each can make one kind of transaction, in the calling
thread."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, Protocol

from mcp_enrichment.client.state.requests import SCHEMA
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.db.sqlite import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path


class ProductFile(Protocol):
    """A file to which names are added."""

    path: ClassVar[str]
    """The name of the file in its folder."""
    names: ClassVar[str]
    """A statement that reads all names."""

    def __init__(self, folder: Path) -> None:
        """Open it; it is created if it is missing."""

    def add(self, name: str) -> None:
        """Add a name, in a transaction of several pages."""

    def close(self) -> None:
        """Close all connections."""


class ServiceFile:
    """The service's database, with a write-ahead log. A name is a team."""

    path = "service.db"
    names = "SELECT name FROM teams"

    def __init__(self, folder: Path) -> None:
        self._database = open_sqlite(folder / self.path)

    def add(self, name: str) -> None:
        self._database.write_now(lambda db: teams.add(db, name, 5, at=0))

    def close(self) -> None:
        self._database.close()


class StateFile:
    """The client's state file, with a rollback journal. A name is a list that is kept."""

    path = "memory.db"
    names = "SELECT id FROM saved_lists"

    def __init__(self, folder: Path) -> None:
        self._file = SQLiteFile(folder / self.path, SCHEMA)

    def add(self, name: str) -> None:
        row = (name, "an account", 0, "0" * 9000)
        self._file._write(lambda db: db.execute("INSERT INTO saved_lists VALUES (?, ?, ?, ?)", row))

    def close(self) -> None:
        self._file._reader.close()
        self._file._writer.close()


def names_and_damage(kind: type[ProductFile], folder: Path) -> tuple[set[str], list[str]]:
    """The names in the file, and the damage that SQLite's integrity check finds.

    There are no names if there are no tables yet, or the file cannot be read.
    """
    try:
        with closing(sqlite3.connect(folder / kind.path)) as file:
            damage = [line for (line,) in file.execute("PRAGMA integrity_check") if line != "ok"]
            if not file.execute("SELECT 1 FROM sqlite_master").fetchone():
                return set(), damage
            return {name for (name,) in file.execute(kind.names)}, damage
    except sqlite3.DatabaseError as error:
        return set(), [str(error)]
