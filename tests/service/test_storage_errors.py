"""If the database fails under a running service, the answer is a 503 that says what to do, nothing
is half done, and work continues by itself once the cause is gone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.contract.http import CREDITS
from mcp_enrichment.service.contacts import import_writer
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db import sqlite
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.http.errors import error_response
from tests.support.databases import rows
from tests.support.disks import disk_under_databases
from tests.support.exports import ADA_READ
from tests.support.openapi import must_be
from tests.support.running_service import (
    ADA,
    HIT,
    FixedSource,
    ledger_is_exact,
    running_service,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
ROOM = 2**30
FOR_CALLERS = (
    "The service cannot use its database. Nothing was started and nothing charged. "
    "Try again later; whoever runs the service finds the cause under this code."
)


class Disk:
    """The disk under every database that is opened in this test."""

    full = False
    pages = ROOM

    def __call__(self, connection: sqlite3.Connection) -> None:
        # SQLite raises a limit below the file's size to that size, so the file cannot grow.
        connection.execute(f"PRAGMA max_page_count = {1 if self.full else self.pages}")


@pytest.fixture
def disk() -> Iterator[Disk]:
    under = Disk()
    with disk_under_databases(under):
        yield under


async def test_on_a_full_disk_a_request_is_accepted_as_a_whole_or_refused_as_a_whole(
    path: Path, disk: Disk
) -> None:
    async with running_service(path, jobs=False, credits=1000) as it:
        disk.full = True
        accepted, refused = 0, None
        while refused is None:
            response = await it.post(linkedin_url=f"{ADA}-{accepted}", external_id="x" * 256)
            accepted += response.status_code == 201
            refused = None if response.status_code == 201 else response
        assert refused.status_code == 503
        assert refused.json()["error"] == {
            "code": "storage_full",
            "message": FOR_CALLERS,
        }
        assert await it.balance() == 1000 - accepted
        for table in ("requests", "jobs"):
            assert it.rows(f"SELECT count(*) FROM {table}") == [(accepted,)]  # noqa: S608
        ledger_is_exact(path)
        disk.full = False
        assert (await it.post()).status_code == 201


async def test_lookups_that_a_full_disk_stopped_end_once_there_is_room(
    path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_service(path, jobs=False, credits=1000) as asker:
        ids = [
            await asker.accepted(linkedin_url=f"{ADA}-{n}", external_id="x" * 256)
            for n in range(40)
        ]
    async with running_service(path, FixedSource(HIT), lease=0.2) as it:
        disk.full = True
        await until(lambda: "stopped: storage_full" in caplog.text)
        disk.full = False
        for request_id in ids:
            assert (await it.final(request_id))["status"] == "completed"
    ledger_is_exact(path)


def test_a_new_database_on_a_full_disk_is_refused_and_opens_when_there_is_room(
    path: Path, disk: Disk
) -> None:
    disk.full = True
    with pytest.raises(StorageFailed) as raised:
        open_sqlite(path)
    assert raised.value.fault is StorageFault.FULL
    disk.full = False
    open_sqlite(path).close()
    assert rows(path, "SELECT * FROM teams") == []


def test_an_import_that_a_full_disk_cuts_short_says_what_is_stored_and_the_next_adds_the_rest(
    path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_writer, "BATCH", 100)
    people = [replace(ADA_READ, profile=f"{ADA}-{n}", email=f"{n}@b.example") for n in range(1000)]
    database = open_sqlite(path)
    [(taken,)] = rows(path, "PRAGMA page_count")
    disk.pages = taken + 15
    with pytest.raises(StorageFailed, match="disk that holds") as raised:
        import_contacts(database, people, source="csv")
    [(stored,)] = rows(path, "SELECT count(*) FROM contact_emails")
    assert 0 < stored < 1000
    assert f"{stored} rows with an address are stored" in str(raised.value)
    assert "Nothing was started" not in str(raised.value)
    disk.pages = ROOM
    report = import_contacts(database, people, source="csv")
    database.close()
    assert (report.stored, report.new) == (1000, 1000 - stored)
    assert rows(path, "SELECT count(*) FROM contact_persons") == [(1000,)]


def test_an_import_into_a_full_disk_says_that_nothing_was_done(path: Path, disk: Disk) -> None:
    people = [replace(ADA_READ, profile=f"{ADA}-{n}", email=f"{n}@b.example") for n in range(1000)]
    database = open_sqlite(path)
    disk.full = True
    with pytest.raises(StorageFailed, match="Nothing was started"):
        import_contacts(database, people, source="csv")
    database.close()
    assert rows(path, "SELECT count(*) FROM contact_emails") == [(0,)]


async def test_a_database_that_another_program_keeps_locked_is_a_503_that_may_be_retried(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.01)
    async with running_service(path, jobs=False) as it:
        with closing(sqlite3.connect(path)) as another:
            another.execute("BEGIN IMMEDIATE")
            response = await it.post()
            assert response.status_code == 503
            assert response.json()["error"]["code"] == "storage_busy"
            assert await it.balance() == 10  # reads continue
        assert (await it.post()).status_code == 201
    ledger_is_exact(path)


@pytest.mark.parametrize("fault", StorageFault)
def test_each_fault_is_a_503_of_the_contract_with_its_own_code(fault: StorageFault) -> None:
    response = error_response(StorageFailed(fault))
    body = httpx.Response(200, content=response.body).json()
    assert response.status_code == 503
    assert body == {"error": {"code": fault.value, "message": FOR_CALLERS}}
    must_be("Error", body)


async def test_a_file_that_is_damaged_while_the_service_runs_is_a_503(path: Path) -> None:
    async with running_service(path, jobs=False) as it:
        it.service.database.close()
        for file in path.parent.iterdir():
            file.write_bytes(b"no database" * 4096)
        response = await it.http.get(CREDITS)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "storage_not_a_database"
