"""The simulated disk: what it keeps, loses and refuses."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

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
    from pathlib import Path

FILES = pytest.mark.parametrize("kind", [ServiceFile, StateFile])


def test_closing_a_connection_of_a_killed_process_changes_nothing_for_others(
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
