"""The state file has no personal data in the clear, and survives damage, removal and locks."""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx
import pytest

from mcp_enrichment.client.state import sqlite_file
from mcp_enrichment.client.state.records import (
    PendingPost,
    RequestRecord,
    StoredRequest,
    SubmitState,
)
from mcp_enrichment.client.state.requests import SCHEMA, RequestStore
from mcp_enrichment.client.state.spending import Budget
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import ADDRESS, PROFILE, ContractServer, accepts, found
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_enrichment.client.client import EnrichmentClient
    from tests.client.conftest import NewClient

pytestmark = pytest.mark.anyio


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)


def _content(file: Path) -> bytes:
    return file.read_bytes()


def _of_version(memory: Path, version: int) -> bytes:
    memory.parent.mkdir()
    with closing(sqlite3.connect(memory)) as db:
        db.execute("CREATE TABLE asked (id TEXT)")
        db.execute(f"PRAGMA user_version = {version}")
    return memory.read_bytes()


async def test_no_address_no_profile_and_no_key_stand_in_the_file(
    client: EnrichmentClient, vendor: ScriptedServer, memory: Path
) -> None:
    lookups = ContractServer()
    vendor.always(lookups)
    lookups.end(found())
    answer = await client.request(PROFILE, EmailType.WORK, external_id="lead-42", wait=HANG)
    assert answer.email == ADDRESS
    content = b"".join(map(_content, memory.parent.iterdir())).lower()
    assert b"accepted" in content
    for secret in (ADDRESS, "in/ada", "example.com", "linkedin", "k-secret", "lead-42", vendor.url):
        assert secret.encode() not in content


@pytest.mark.parametrize("broken", [b"%PDF-1.7\n" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_file_that_is_no_database_is_set_aside_and_work_goes_on(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    memory: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    broken: bytes,
) -> None:
    _write(memory, broken)
    vendor.will(accepts(), replies(200, found()))
    with caplog.at_level(logging.WARNING):
        await client.request(PROFILE, EmailType.WORK)
    assert "was renamed memory.db.broken-" in caplog.text
    [aside] = memory.parent.glob("*.broken-*")
    assert _content(aside) == broken
    assert (await client.request(PROFILE, EmailType.WORK)).reused


async def test_something_in_the_place_of_the_lock_is_no_obstacle(
    client: EnrichmentClient, vendor: ScriptedServer, memory: Path
) -> None:
    _write(memory, b"x" * 5000)
    _write(memory.with_name("memory.db.lock"), b"%PDF-1.7\n" * 500)
    vendor.will(accepts())
    assert (await client.request(PROFILE, EmailType.WORK)).id == "e1"


@pytest.mark.parametrize("broken", [False, True])
async def test_many_may_open_a_new_or_a_broken_file_at_the_same_moment(
    tmp_path: Path, broken: bool
) -> None:
    for n in range(10):
        path = tmp_path / str(n) / "memory.db"
        if broken:
            _write(path, b"x" * 5000)
        with ExitStack() as stack:
            memories = [
                stack.enter_context(closing(RequestStore(path, "account"))) for _ in range(8)
            ]
            async with anyio.create_task_group() as tasks:
                for memory in memories:
                    tasks.start_soon(memory.mark_idempotent)
            assert all([await memory.supports_idempotency() for memory in memories])
        assert len(list(path.parent.glob("*.broken-*"))) == broken


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
async def test_a_file_that_was_removed_is_made_anew_for_all_processes(
    new_client: NewClient, vendor: ScriptedServer, memory: Path
) -> None:
    vendor.will(accepts(), accepts("e2"), replies(200, found("e2")))
    async with new_client() as one, new_client() as two:
        await one.request(PROFILE, EmailType.WORK)
        for file in memory.parent.iterdir():
            file.unlink()
        assert (await one.request(PROFILE, EmailType.WORK)).id == "e2"
        assert (await two.request(PROFILE, EmailType.WORK)).id == "e2"


async def test_the_file_stays_open(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(RequestStore(memory, "account")) as store:
        await store.mark_idempotent()
        assert await store.durations() == []
        monkeypatch.setattr(sqlite3, "connect", None)
        await store.mark_idempotent()
        assert await store.durations() == []


async def test_a_read_leaves_the_thread_only_to_wait_for_another_process(memory: Path) -> None:
    threads: list[int] = []

    def read(_db: sqlite3.Connection) -> None:
        threads.append(threading.get_ident())

    with closing(SQLiteFile(memory, SCHEMA)) as file:
        await file.run(lambda _db: None)
        await file.read(read)
        with closing(sqlite3.connect(memory, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(file.read, read)
                await anyio.wait_all_tasks_blocked()
                other.execute("ROLLBACK")
    assert threads[0] == threading.get_ident() != threads[1]


async def test_a_read_that_fails_leaves_the_file_unlocked(memory: Path) -> None:
    with closing(SQLiteFile(memory, SCHEMA)) as file:
        await file.run(lambda _db: None)
        with pytest.raises(ZeroDivisionError):
            await file.read(lambda db: 1 / len(db.execute("SELECT * FROM spending").fetchall()))
        with closing(sqlite3.connect(memory, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")


async def test_a_row_that_cannot_be_decoded_is_a_fault_and_leaves_the_file_unlocked(
    memory: Path,
) -> None:
    not_utf8 = "INSERT INTO requests VALUES ('d', 'a', 'work', 'k', CAST(x'ff' AS TEXT), 'asking'"
    with closing(RequestStore(memory, "a")) as store:
        await store.mark_idempotent()
        with closing(sqlite3.connect(memory, timeout=0, isolation_level=None)) as other:
            other.execute(f"{not_utf8}, NULL, NULL, 0, NULL)")
            with pytest.raises(StorageFailed):
                await store.load("d")
            other.execute("BEGIN EXCLUSIVE")


def _overwrite(memory: Path) -> None:
    memory.write_bytes(b"x" * memory.stat().st_size)


def _overwrite_all_but_the_header(memory: Path) -> None:
    header = bytearray(memory.read_bytes()[:100])
    header[24:28] = b"last"  # the change counter: SQLite reads again what it has cached
    memory.write_bytes(header.ljust(memory.stat().st_size, b"x"))


def _replace(memory: Path) -> None:
    other = memory.with_name("other")
    other.write_bytes(b"x" * 5000)
    other.replace(memory)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
@pytest.mark.parametrize("damage", [_overwrite, _overwrite_all_but_the_header, _replace])
async def test_a_file_that_is_damaged_while_it_is_open_is_set_aside_once_for_all_processes(
    new_client: NewClient,
    vendor: ScriptedServer,
    memory: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    vendor.will(accepts(), accepts("e2"), replies(200, found("e2")))
    async with new_client() as one, new_client() as two:
        await one.request(PROFILE, EmailType.WORK)
        await two._store.durations()  # it has the file open
        damage(memory)
        with caplog.at_level(logging.WARNING):
            assert (await one.request(PROFILE, EmailType.WORK)).id == "e2"
            assert (await two.request(PROFILE, EmailType.WORK)).reused
    assert caplog.text.count("was renamed memory.db.broken-") == 1
    assert len(list(memory.parent.glob("*.broken-*"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be renamed there")
async def test_damage_that_is_met_after_a_write_does_not_harm_the_new_file_of_another_process(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage = sqlite3.DatabaseError("database disk image is malformed")
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    journal = memory.with_name("memory.db-journal")
    set_aside = SQLiteFile._set_aside
    others: list[sqlite3.Connection] = []

    def then_another_writes(file: SQLiteFile, suffix: str, reason: str) -> None:
        set_aside(file, suffix, reason)
        others.append(sqlite3.connect(memory, isolation_level=None, check_same_thread=False))
        others[0].executescript("BEGIN IMMEDIATE; CREATE TABLE theirs (id)")
        assert journal.exists()

    def meet_damage(db: sqlite3.Connection) -> bool:
        if not others:
            db.execute("INSERT INTO idempotent_accounts VALUES ('a')")
            raise damage
        return True

    monkeypatch.setattr(SQLiteFile, "_set_aside", then_another_writes)
    with closing(SQLiteFile(memory, SCHEMA, busy_timeout=0.05)) as file:
        await file.run(lambda _db: None)
        with pytest.raises(StorageFailed):  # the other process keeps the new file locked
            await file.run(meet_damage)
    with closing(others[0]) as other:
        assert journal.exists()
        other.execute("COMMIT")


async def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(memory: Path) -> None:
    with closing(SQLiteFile(memory, SCHEMA)) as file:
        insert = "INSERT INTO idempotent_accounts VALUES ('a')"
        with pytest.raises(StorageFailed):
            await file.run(lambda db: [db.execute(insert), db.execute(insert)])
        assert (await file.run(lambda db: db.execute(insert).rowcount)) == 1


@pytest.mark.parametrize("version", [1, SCHEMA.version + 1])
async def test_a_file_of_another_version_is_set_aside_whole_and_work_goes_on(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    memory: Path,
    caplog: pytest.LogCaptureFixture,
    version: int,
) -> None:
    before = _of_version(memory, version)
    vendor.will(accepts(), replies(200, found()))
    with caplog.at_level(logging.WARNING):
        await client.request(PROFILE, EmailType.WORK)
    assert "another version of mcp-enrichment; it was renamed memory.db.other-" in caplog.text
    [aside] = memory.parent.glob("*.other-*")
    assert _content(aside) == before
    assert (await client.request(PROFILE, EmailType.WORK)).reused


async def test_a_file_of_the_version_before_lists_is_kept_and_nothing_is_paid_again(
    new_client: NewClient, vendor: ScriptedServer, memory: Path
) -> None:
    vendor.will(accepts(), replies(200, found()), replies(200, found()))
    async with new_client() as client:
        await client.request(PROFILE, EmailType.WORK, wait=HANG)
    with closing(sqlite3.connect(memory)) as db:
        upgraded = list(db.execute("SELECT name, sql FROM sqlite_master ORDER BY name"))
        db.executescript(
            "DROP TABLE saved_lists; DROP INDEX spending_by_list;"
            " ALTER TABLE spending DROP COLUMN list; PRAGMA user_version = 2;"
        )
    async with new_client() as client:
        assert (await client.request(PROFILE, EmailType.WORK)).reused
        await client.save_list("a list")
    with closing(sqlite3.connect(memory)) as db:
        now = list(db.execute("SELECT name, sql FROM sqlite_master ORDER BY name"))
    assert [name for name, _ in now] == [name for name, _ in upgraded]
    assert not list(memory.parent.glob("*.other-*"))
    assert len(vendor.posts) == 1


async def test_a_file_that_another_version_replaces_is_reported(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _of_version(memory, SCHEMA.version + 1)
    monkeypatch.setattr(SQLiteFile, "_set_aside", lambda *_: None)
    with closing(RequestStore(memory, "account")) as store, pytest.raises(StorageFailed) as caught:
        await store.mark_idempotent()
    assert caught.value.fault is StorageFault.BUSY


@pytest.mark.parametrize("obstacle", ["a file", "no permission", "a folder"])
async def test_a_folder_that_cannot_be_written_is_reported_and_nothing_is_sent(
    new_client: NewClient, vendor: ScriptedServer, tmp_path: Path, obstacle: str
) -> None:
    memory = tmp_path / "state" / "memory.db"
    if obstacle == "a file":
        memory.parent.write_text("in the way")
    elif obstacle == "a folder":
        memory.mkdir(parents=True)
    else:
        memory = _unwritable() / "memory.db"
    async with new_client(memory=memory) as client:
        with pytest.raises(StorageFailed) as caught:
            await client.request(PROFILE, EmailType.WORK)
    assert caught.value.fault is StorageFault.NOT_WRITABLE
    assert caught.value.retryable is False
    assert not vendor.seen


def _unwritable() -> Path:
    """A folder that not even root can write to."""
    from pathlib import Path

    folder = Path("/proc")
    if not folder.is_dir():
        pytest.skip("needs /proc")
    return folder / "mcp-enrichment"


async def test_a_state_file_that_others_keep_locked_is_reported_and_nothing_is_sent(
    client: EnrichmentClient, vendor: ScriptedServer, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT", 0.05)
    memory.parent.mkdir()
    with closing(sqlite3.connect(memory, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageFailed) as caught:
            await client.request(PROFILE, EmailType.WORK)
    assert caught.value.fault is StorageFault.BUSY
    assert not vendor.seen


async def test_a_save_that_waits_when_the_client_is_closed_leaves_no_send_lock(
    memory: Path,
) -> None:
    store = RequestStore(memory, "account")
    await store.mark_idempotent()
    with closing(sqlite3.connect(memory, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_save, store)
            await anyio.wait_all_tasks_blocked()
            store.close()
            other.execute("ROLLBACK")
    await anyio.to_thread.run_sync(store._file._thread.shutdown)
    assert {file.name for file in memory.parent.iterdir()} == {memory.name, "memory.db-journal"}
    assert await _states(memory) == [SubmitState.ASKING]


async def test_a_client_whose_block_is_cancelled_leaves_no_send_lock(
    new_client: NewClient, memory: Path
) -> None:
    async def cancel(_request: httpx.Request) -> httpx.Response:
        assert len(list(memory.parent.iterdir())) == 3
        tasks.cancel_scope.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    transport = httpx.MockTransport(cancel)
    async with anyio.create_task_group() as tasks, new_client(transport=transport) as client:
        store = client._store
        await client.request(PROFILE, EmailType.WORK)
    await anyio.to_thread.run_sync(store._file._thread.shutdown)
    assert {file.name for file in memory.parent.iterdir()} == {memory.name, "memory.db-journal"}


async def _save(store: RequestStore) -> None:
    record = RequestRecord(
        dedup_key="d", account="account", type=EmailType.WORK, key="k", asked_at=time.time()
    )
    with store.send_lock.sender() as sender:
        post = PendingPost(dedup_key="d", key="k", sender=sender, since=time.time(), body="")
        await store.save_before_post(
            record, post, expected=StoredRequest(), budget=Budget(), snapshot=None
        )


async def _states(memory: Path) -> list[SubmitState]:
    with closing(RequestStore(memory, "account")) as store:
        return [record.state for record in await store.newest(9)]
