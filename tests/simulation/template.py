"""The files that worlds begin with: a database with a team and its key, made once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.db.sqlite import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

MADE_AT = 1_799_990_000.0
"""A time of the calendar shortly before the worlds begin."""


class Template:
    """The folder `data` of a machine, with a number of credits."""

    def __init__(self, folder: Path, credits: int) -> None:  # noqa: A002
        self._folder = folder / f"template-{credits}"
        self._credits = credits
        self.key = ""
        (self._folder / "data").mkdir(parents=True)
        database = open_sqlite(self._folder / "data" / "enrichment.db")
        database.write_now(self._fill)
        database.close()

    def _fill(self, connection: Connection) -> None:
        teams.add(connection, DEFAULT_TEAM, self._credits, at=MADE_AT)
        self.key = api_keys.create(connection, DEFAULT_TEAM, at=MADE_AT).key

    def copy_to(self, folder: Path) -> None:
        """Replace the files of the world before."""
        shutil.rmtree(folder / "data", ignore_errors=True)
        shutil.rmtree(folder / "state", ignore_errors=True)
        (folder / "state").mkdir(mode=0o700, parents=True)
        shutil.copytree(self._folder / "data", folder / "data")
