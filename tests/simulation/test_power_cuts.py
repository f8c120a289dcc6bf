"""The product's files survive kills and power cuts, and no erased text comes back."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.client.state.requests import SCHEMA
from mcp_enrichment.client.state.sqlite_file import is_usable
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.service.db.sqlite import open_sqlite
from tests.simulation.disk import Call, Disk
from tests.simulation.product_files import (
    ProductFile,
    ServiceFile,
    StateFile,
    names_and_damage,
)

if TYPE_CHECKING:
    from pathlib import Path

CUTS = 500
CUTS_UNTIL_CAUGHT = 50
"""Power cuts within which a file without enough syncs must be damaged, or lose a transaction."""

CALLS: tuple[Call, ...] = ("read", "write", "sync", "truncate", "delete")
FILES = pytest.mark.parametrize("kind", [ServiceFile, StateFile])


class Lost(Exception):
    """A committed transaction is gone, an uncommitted one is there, or a file is damaged."""


def cut_power(disk: Disk, folder: Path, kind: type[ProductFile], cuts: int) -> None:
    """Add names, and cut the power this often, at any call of a transaction or after one. Raises
    `Lost`."""
    chance = random.Random(3)  # noqa: S311 (the same each time)
    kind(folder).add("first")
    committed = {"first"}
    for cut in range(cuts):
        process = disk.process("writer")
        open_ = ""
        process.kill_after(chance.randrange(60))
        try:
            with process.running():
                file = kind(folder)
                for number in range(chance.randrange(4)):
                    open_ = f"{cut} {number}"
                    file.add(open_)
                    committed.add(open_)
                if chance.random() < 0.2:
                    file.close()
        except StorageFailed:
            if process.is_alive:
                raise
        disk.power_cut()
        found, problems = names_and_damage(kind, folder)
        if problems or not committed <= found <= {*committed, open_}:
            raise Lost(cut, problems, committed - found, found - committed)
        committed = found
    assert len(committed) > cuts / 4


@FILES
def test_a_committed_transaction_survives_each_power_cut_and_no_other_does(
    disk: Disk, tmp_path: Path, kind: type[ProductFile]
) -> None:
    cut_power(disk, tmp_path, kind, CUTS)


@pytest.mark.parametrize(
    ("kind", "level"), [(ServiceFile, "OFF"), (ServiceFile, "NORMAL"), (StateFile, "OFF")]
)
def test_the_disk_catches_a_file_that_is_synced_too_seldom(
    disk: Disk, tmp_path: Path, kind: type[ProductFile], level: str
) -> None:
    class Unsafe(sqlite3.Connection):
        def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
            name, _, _ = statement.partition("=")
            is_level = name.strip() == "PRAGMA synchronous"
            return super().execute(f"{name}={level}" if is_level else statement, *values)

    def connect(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        return real(*arguments, factory=Unsafe, **settings)

    real = sqlite3.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        patch.setattr("sqlite3.dbapi2.connect", connect)  # SQLAlchemy's
        with pytest.raises((Lost, StorageFailed)):
            cut_power(disk, tmp_path, kind, CUTS_UNTIL_CAUGHT)


@FILES
def test_a_process_may_be_killed_before_any_change_of_a_transaction(
    disk: Disk, tmp_path: Path, kind: type[ProductFile]
) -> None:
    outcomes: list[bool] = []
    for changes in range(200):
        process, other = disk.process("writer"), disk.process("other")
        with process.running():
            file = kind(tmp_path)
            process.kill_after(changes)
            with suppress(StorageFailed):
                file.add(f"after {changes}")
        with other.running(), closing(kind(tmp_path)) as file:
            file.add(f"other {changes}")  # no lock of the killed process is left
        names, damage = names_and_damage(kind, tmp_path)
        assert not damage
        assert f"other {changes}" in names
        outcomes.append(f"after {changes}" in names)
        if process.is_alive:
            break
    first = outcomes.index(True)
    assert first > 5
    assert all(outcomes[first:]), "a transaction is there once its commit is"
    assert len(outcomes) < 200


def test_a_service_opens_its_database_after_a_power_cut_at_its_first_start(tmp_path: Path) -> None:
    for seed in range(10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with closing(Disk(folder, seed=seed)) as disk:
            with disk.process("first").running(), closing(ServiceFile(folder)) as file:
                file.add("kept")
            disk.power_cut()
            with disk.process("second").running(), closing(ServiceFile(folder)) as file:
                file.add("after")
        assert names_and_damage(ServiceFile, folder) == ({"kept", "after"}, [])


def test_the_doctor_can_check_a_state_file_whenever_a_process_was_killed(
    disk: Disk, tmp_path: Path
) -> None:
    for changes in range(30):
        process = disk.process("writer")
        process.kill_after(changes)
        with process.running(), suppress(StorageFailed):
            StateFile(tmp_path).add(f"after {changes}")
        process.kill()
        if (tmp_path / StateFile.path).exists():
            assert is_usable(tmp_path / StateFile.path, SCHEMA)


def test_a_power_cut_does_not_bring_back_what_was_scrubbed(tmp_path: Path) -> None:
    for seed in range(10):
        folder = tmp_path / str(seed)
        with closing(Disk(folder, seed=seed)) as disk:
            with disk.process("eraser").running():
                database = open_sqlite(folder / "service.db")
                with database._engine.begin() as connection:
                    connection.exec_driver_sql("CREATE TABLE erased (text)")
                    connection.exec_driver_sql("INSERT INTO erased VALUES ('Ada at example.com')")
                with database._engine.begin() as connection:
                    connection.exec_driver_sql("DELETE FROM erased")
                assert database.scrub_now()
            disk.power_cut()
        assert not [path for path in folder.iterdir() if b"Ada at" in path.read_bytes()]


@FILES
def test_a_disk_that_fails_while_a_file_is_opened_is_reported_as_such(
    disk: Disk, tmp_path: Path, kind: type[ProductFile]
) -> None:
    kind(tmp_path).add("first")
    for call in CALLS:
        for after in range(60 if call == "read" else 12):
            process = disk.process(f"{call} {after}")
            with process.running(), suppress(StorageFailed):
                disk.fail(call, process=process, after=after)
                kind(tmp_path).add(process.name)
            process.kill()
    assert names_and_damage(kind, tmp_path)[1] == []
