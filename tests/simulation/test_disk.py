"""The simulated disk: what it keeps and loses, and that the product's files survive it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.client.state.send_lock import SendLock
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from tests.simulation.disk import Call, Disk
from tests.simulation.product_files import (
    ProductFile,
    ServiceFile,
    StateFile,
    names_and_damage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUTS = 500
CUTS_UNTIL_CAUGHT = 50
"""Power cuts within which a file that is synced too seldom is damaged, or loses a transaction."""

FILES = pytest.mark.parametrize("kind", [ServiceFile, StateFile])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with closing(Disk(tmp_path, seed=1)) as disk:
        yield disk


class Lost(Exception):
    """A committed transaction is gone, an uncommitted one is there, or a file is damaged."""


def cut_power(disk: Disk, folder: Path, kind: type[ProductFile], cuts: int) -> None:
    """Cut the power so often, while names are added: at any call of a transaction, or after one."""
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


@FILES
@pytest.mark.parametrize("level", ["OFF", "NORMAL"])
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


def test_what_a_killed_process_has_open_disturbs_nobody_when_it_is_closed(
    disk: Disk, tmp_path: Path
) -> None:
    path = tmp_path / "log.db"
    dead, alive = disk.process("dead"), disk.process("alive")
    with dead.running():
        killed = _wal(path)
        killed.execute("CREATE TABLE numbers (number, filler)")
    with alive.running(), closing(_wal(path)) as writer, closing(_wal(path)) as reader:
        _write_without_commit(killed, -1)
        dead.kill()
        _write_without_commit(writer, 1)
        killed.close()  # it rolls back in the shared memory, too
        writer.execute("COMMIT")
        assert reader.execute("SELECT count(*), min(number) FROM numbers").fetchone() == (50, 1)
        assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _write_without_commit(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("PRAGMA cache_spill = 1")
    row = number, "-" * 3000
    connection.executemany("INSERT INTO numbers VALUES (?, ?)", [row] * 50)


def _wal(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA cache_size = 5")  # pages are written before the commit
    return connection


def test_the_lock_of_a_sender_ends_with_its_simulated_process(disk: Disk, tmp_path: Path) -> None:
    sender = disk.process("sender")
    with sender.running():
        ours = SendLock(tmp_path / "memory.db")
    with disk.process("other").running(), closing(SendLock(tmp_path / "memory.db")) as theirs:
        with ours.sender() as name:
            with sender.running():
                ours.hold()
            assert theirs.is_sending(name)
            sender.kill()
            assert not theirs.is_sending(name)
        ours.close()
        assert not theirs.is_sending(name)


@FILES
@pytest.mark.parametrize("all_writes", [False, True])
def test_a_full_disk_fails_a_transaction_and_a_free_one_takes_it(
    disk: Disk, tmp_path: Path, kind: type[ProductFile], all_writes: bool
) -> None:
    with closing(kind(tmp_path)) as file:
        file.add("before")
        disk.fill(all_writes=all_writes)
        for number in range(5):
            with pytest.raises(StorageFailed) as raised:
                file.add(f"full {number}")
            assert raised.value.fault is StorageFault.FULL
        disk.free()
        file.add("after")
    assert names_and_damage(kind, tmp_path) == ({"before", "after"}, [])


@FILES
@pytest.mark.parametrize("call", ["read", "write", "sync"])
def test_a_call_that_fails_once_loses_no_committed_transaction(
    disk: Disk, tmp_path: Path, kind: type[ProductFile], call: Call
) -> None:
    failures, committed, open_ = 0, set(), set()
    for after in range(40):
        process = disk.process(f"number {after}")
        with process.running():
            file = kind(tmp_path)
            disk.fail(call, process=process, after=after)
            try:
                file.add(f"one {after}")
            except StorageFailed:
                failures += 1
                open_.add(f"one {after}")
            else:
                committed.add(f"one {after}")
            with suppress(StorageFailed):
                file.close()
        disk.power_cut()
    names, damage = names_and_damage(kind, tmp_path)
    assert not damage
    assert committed <= names <= committed | open_
    assert failures


def test_a_new_name_is_lost_until_its_folder_is_synced(disk: Disk, tmp_path: Path) -> None:
    kept = []
    for number in range(20):
        path = tmp_path / f"{number}.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("CREATE TABLE numbers (number)")
        disk.power_cut()
        kept.append(path.exists())
    assert {True, False} == set(kept)


def test_the_same_seed_and_the_same_calls_give_the_same_bytes(tmp_path: Path) -> None:
    def cut(folder: Path, seed: int) -> dict[str, bytes]:
        folder.mkdir()
        with closing(Disk(folder, seed=seed)) as disk:
            for number in range(5):
                process = disk.process("writer")
                process.kill_after(30 + number)
                with process.running(), suppress(sqlite3.OperationalError):
                    connection = _wal(folder / "log.db")
                    connection.execute("CREATE TABLE IF NOT EXISTS numbers (number, filler)")
                    for filler in range(20):
                        row = number, str(filler) * 3000
                        connection.execute("INSERT INTO numbers VALUES (?, ?)", row)
                disk.power_cut()
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    first, again, other = cut(tmp_path / "a", 1), cut(tmp_path / "b", 1), cut(tmp_path / "c", 2)
    assert first == again
    assert first != other


def test_files_outside_its_folder_are_not_touched(
    disk: Disk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("outside") / "log.db"
    process = disk.process("dead")
    process.kill()
    disk.fill(all_writes=True)
    with process.running(), closing(_wal(path)) as connection:
        connection.execute("CREATE TABLE numbers (number)")


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
