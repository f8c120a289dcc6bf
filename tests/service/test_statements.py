"""No request, lookup, callback or poll builds a statement. Building one costs several times what
the database needs to execute it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event

from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.contacts.own_sources import ContactsSource
from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
from tests.support.databases import open_place, rows
from tests.support.exports import ADA_READ
from tests.support.running_service import ADA, HIT, RunningService, running_service, until
from tests.support.scripted_server import ScriptedServer, replies, scripted_server
from tests.support.scripted_vendors import scripted_vendor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
ENDED = "SELECT status FROM requests"
JOBS_LEFT = {"sqlite": "SELECT * FROM jobs", "postgres": "SELECT * FROM procrastinate_jobs"}


async def test_after_the_first_request_no_statement_is_built(
    place: Place, request: pytest.FixtureRequest
) -> None:
    left = JOBS_LEFT[request.node.callspec.params["place"]]
    vendor, book = scripted_vendor(HIT), open_place(place)
    sources = ContactsSource(book), vendor
    limits = SourceLimiter({vendor.name: SourceLimit(at_once=2, per_second=1_000)})
    async with (
        scripted_server() as receiver,
        running_service(place, *sources, allow_private=True, source_limiter=limits) as it,
    ):
        receiver.always(replies(204))
        with _executed() as before:
            await _request_and_callback(it, receiver, f"{ADA}-1", left)
            # A commit that is seen late leads to a look at all that wait, in either request.
            it.service.completion_waiter._waiting["none"] = set()
            await it.service.completion_waiter._notify_all_final()
            del it.service.completion_waiter._waiting["none"]
        with _executed() as executed:
            await _request_and_callback(it, receiver, f"{ADA}-2", left)
    book.close()
    known = {id(statement) for statement in before}
    new = [str(statement) for statement in executed if id(statement) not in known]
    assert len(executed) > 15
    assert [one for one in new if "SAVEPOINT" not in one] == []  # SQLAlchemy builds those


async def test_on_sqlite_the_driver_executes_every_statement_of_a_request(path: Path) -> None:
    """SQLAlchemy takes several times as long, also for a statement that is built once."""
    contacts = ContactsSource(open_place(path))
    async with (
        scripted_server() as receiver,
        running_service(path, contacts, allow_private=True) as it,
    ):
        receiver.always(replies(204))
        another = replace(ADA_READ, profile=f"{ADA}-1")
        import_contacts(contacts.database, [ADA_READ, another], source="linkedin")
        await _request_and_callback(it, receiver, f"{ADA}-1", JOBS_LEFT["sqlite"])
        with _executed() as executed:
            await it.accepted(linkedin_url=ADA, callback_url=receiver.url)
            await until(lambda: rows(path, ENDED) == [("completed",)] * 2)
            await until(lambda: rows(path, JOBS_LEFT["sqlite"]) == [])
    contacts.database.close()
    assert [str(statement) for statement in executed] == []


async def _request_and_callback(
    it: RunningService, receiver: ScriptedServer, profile: str, left: str
) -> None:
    headers = {"Idempotency-Key": profile}
    posted = await it.post(headers=headers, linkedin_url=profile, callback_url=receiver.url)
    assert (await it.final(posted.json()["_id"]))["status"] == "completed"
    await until(lambda: rows(it.place, left) == [])


@contextmanager
def _executed() -> Iterator[list[Any]]:
    """The statements that are executed within, by any engine: each one is kept, so that no other
    one gets its id."""
    executed: list[Any] = []

    def hear(_connection: object, statement: Any, *_: object) -> None:
        executed.append(statement)

    event.listen(Engine, "before_execute", hear)
    try:
        yield executed
    finally:
        event.remove(Engine, "before_execute", hear)
