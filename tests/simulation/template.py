"""The files that each world begins with: a database with two teams and their keys, made once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.app.client import request_memory
from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.settings import Settings
from tests.simulation.network import TEAM_HOST

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

NAMES = (DEFAULT_TEAM, "North")
TEAM_IDS = (1, 2)
MADE_AT = 1_799_990_000.0
"""Seconds since the epoch, shortly before the worlds begin."""


class Template:
    """A folder with the database, in which each team has this many credits."""

    def __init__(self, folder: Path, credits: int) -> None:  # noqa: A002
        self._folder = folder / f"template-{credits}"
        self._credits = credits
        self.keys: list[str] = []
        """The key that the faces of each team use."""
        self.script_keys: list[str] = []
        """The key that the scripts of each team use at first."""
        (self._folder / "data").mkdir(parents=True)
        database = open_sqlite(self._folder / "data" / "enrichment.db")
        database.write_now(self._fill)
        database.close()
        for number, key in enumerate(self.keys):
            (state := self._folder / f"known-{number}").mkdir(mode=0o700)
            anyio.run(_use_once, state, key)

    def _fill(self, connection: Connection) -> None:
        for name, team_id in zip(NAMES, TEAM_IDS, strict=True):
            assert teams.add(connection, name, self._credits, at=MADE_AT) == team_id
            for keys in (self.keys, self.script_keys):
                keys.append(api_keys.create(connection, name, at=MADE_AT).key)

    def copy_to(self, folder: Path, *, is_known: bool) -> None:
        """Replace the files of the previous world. `is_known`: whether the state files say that the
        service recognises a repeated POST."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._folder / "data", folder / "data")
        for number in range(len(NAMES)):
            (state := folder / f"state-{number}").mkdir(mode=0o700)
            if is_known:
                shutil.copytree(self._folder / f"known-{number}", state, dirs_exist_ok=True)


async def _use_once(folder: Path, key: str) -> None:
    """Write a state file as a client leaves it that has used the service of this key."""
    settings = Settings(
        data_dir=folder, state_dir=folder, api_url=f"https://{TEAM_HOST}", api_key=key
    )
    memory = request_memory(settings)
    await memory.mark_idempotent()
    memory.close()
