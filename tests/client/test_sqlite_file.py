"""The state file has no personal data in the clear, and survives damage, removal and locks."""

from __future__ import annotations

import logging
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.client.state import sqlite_file
from mcp_enrichment.client.state.requests import SCHEMA, RequestStore
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import ADDRESS, PROFILE, ContractServer, accepts, found
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_enrichment.client.client import EnrichmentClient
    from tests.client.conftest import NewClient

pytestmark = pytest.mark.anyio

FILES = ["memory.db", "memory.db.lock"]


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
    assert sorted(file.name for file in memory.parent.iterdir()) == FILES
    content = b"".join(_content(memory.with_name(name)) for name in FILES).lower()
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
        memories = [RequestStore(path, "account") for _ in range(8)]
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


@pytest.mark.parametrize("version", [SCHEMA.version - 1, SCHEMA.version + 1])
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


@pytest.mark.parametrize("obstacle", ["a file", "no permission", "a folder"])
async def test_a_place_that_cannot_be_written_is_told_and_nothing_is_sent(
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


async def test_a_memory_that_others_keep_locked_is_told_and_nothing_is_sent(
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
