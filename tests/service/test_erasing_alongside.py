"""An erasure on Postgres is complete also if others write about the person at the same time.
(SQLite has only one writer at a time.)"""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy import event

from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db.postgres import open_postgres
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.privacy import subject_requests
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from mcp_enrichment.service.queue.job import Job, JobKind
from tests.support.databases import rows
from tests.support.exports import ADA_READ
from tests.support.running_service import ADA, HIT, ledger_is_exact, running_service
from tests.support.scripted_vendors import scripted_vendor
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.service.db.database import Database

pytestmark = pytest.mark.anyio
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@contextmanager
def erasing_before(statement: str, database: Database, url: str) -> Iterator[None]:
    """Let another process erase her just before this statement, which runs once the erasure has
    ended or waits for a lock."""
    other = open_postgres(url)
    subject = NamedSubject(profile=ADA)
    erasing = Thread(
        target=lambda: subject_requests.erase(other, subject, suppressing=True, at=time.time())
    )

    def meanwhile(_connection: object, _cursor: object, said: str, *_: object) -> None:
        if said.startswith(statement) and erasing.ident is None:
            erasing.start()
            while erasing.is_alive() and rows(url, WAITS) == [(0,)]:
                time.sleep(0.005)

    event.listen(database._engine, "before_cursor_execute", meanwhile)
    yield
    event.remove(database._engine, "before_cursor_execute", meanwhile)
    erasing.join(HANG)
    other.close()


@pytest.mark.parametrize("statement", ["INSERT INTO contact_emails", "INSERT INTO contact_persons"])
def test_an_import_that_runs_meanwhile_brings_nobody_back(url: str, statement: str) -> None:
    database = open_postgres(url)
    with erasing_before(statement, database, url):
        import_contacts(database, [ADA_READ], source="linkedin")
    database.close()
    assert (
        rows(url, "SELECT * FROM contact_emails")
        == rows(url, "SELECT * FROM contact_persons")
        == []
    )
    assert rows(url, "SELECT count(*) FROM suppressions") == [(2,)], "the profile and the address"


@pytest.mark.parametrize(
    "statement", ["INSERT INTO source_calls", "UPDATE source_calls", "UPDATE requests SET status="]
)
async def test_an_answer_that_arrives_during_an_erasure_is_not_stored(
    url: str, statement: str
) -> None:
    async with running_service(url, scripted_vendor(HIT), jobs=False) as it:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        with erasing_before(statement, it.service.database, url), anyio.fail_after(HANG):
            await look_up(it.service, job)
        [(reason, email, profile)] = rows(url, "SELECT reason, email, linkedin_url FROM requests")
        assert (reason, email or "", profile) == ("erased", "", "")
        assert rows(url, "SELECT * FROM source_calls WHERE email IS NOT NULL") == []
    ledger_is_exact(url)
