"""No source is called about a suppressed person, no answer about the person is given out, and
nothing is charged for that."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.contract.linkedin_url import canonical_profile_url
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.privacy import subject_requests
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from mcp_enrichment.service.sources.base import Hit
from mcp_enrichment.service.sources.exports.records import SkipReason
from tests.support.databases import open_place
from tests.support.exports import ADA_READ
from tests.support.running_service import (
    ADA,
    ADAS,
    HIT,
    FixedSource,
    RunningService,
    SlowSource,
    ledger_is_exact,
    rows,
    running_service,
    until,
)
from tests.support.scripted_server import ScriptedServer, replies, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

    from tests.support.databases import Place
    from tests.support.scripted_server import ReceivedRequest

pytestmark = pytest.mark.anyio
PROFILE, ADDRESS = NamedSubject(profile=ADA), NamedSubject(address=ADAS)


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as end:
        yield end


def suppress(it: RunningService, subject: NamedSubject) -> None:
    assert subject_requests.suppress(it.service.database, subject, at=time.time())


def check_suppressed(body: dict[str, Any], *, charged: int) -> None:
    answer = {"status": "not-found", "reason": "suppressed", "email": None}
    assert body == body | answer | {"credits_charged": charged}
    assert ADAS not in str(body)


@pytest.mark.parametrize(
    "spelled",
    [ADA, "linkedin.com/in/Ada-Okafor-Example/", "https://de.linkedin.com/in/ada-okafor-example?x"],
)
async def test_nobody_is_asked_about_a_suppressed_profile_however_it_is_spelled(
    place: Place, spelled: str
) -> None:
    source = FixedSource(HIT)
    async with running_service(place, source) as it:
        suppress(
            it,
            NamedSubject(
                profile=canonical_profile_url("https://www.linkedin.com/in/ADA-okafor-example/")
            ),
        )
        check_suppressed(await it.final(await it.accepted(linkedin_url=spelled)), charged=0)
        assert await it.balance() == 10
    assert source.asked == []
    ledger_is_exact(place)


@pytest.mark.parametrize(
    "found", [ADAS, "Ada@Example.COM", "ada@bücher.example", "ada@xn--bcher-kva.example"]
)
async def test_a_suppressed_address_is_a_miss_of_its_source_alone(place: Place, found: str) -> None:
    first, second = (
        FixedSource(Hit(email=found)),
        FixedSource(Hit(email="ada@example.org"), name="second"),
    )
    async with running_service(place, first, second) as it:
        suppress(it, ADDRESS)
        suppress(it, NamedSubject(address="ADA@BÜCHER.example"))
        answer = await it.final(await it.accepted())
    assert answer["email"]["email"] == "ada@example.org"


async def test_where_only_a_suppressed_address_is_found_nothing_is_charged(place: Place) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        suppress(it, ADDRESS)
        check_suppressed(await it.final(await it.accepted()), charged=0)
        assert await it.balance() == 10


@pytest.mark.parametrize("subject", [PROFILE, ADDRESS], ids=["by profile", "by address"])
async def test_an_answer_is_withheld_once_suppressed_and_given_again_once_lifted(
    place: Place, subject: NamedSubject
) -> None:
    async with running_service(place, FixedSource(HIT)) as it:
        request_id = await it.accepted()
        before = await it.final(request_id)
        suppress(it, subject)
        check_suppressed((await it.get(request_id)).json(), charged=1)
        check_suppressed((await it.get(request_id, prefer="wait=5")).json(), charged=1)
        assert subject_requests.unsuppress(it.service.database, subject, at=time.time())
        assert (await it.get(request_id)).json() == before
        assert before["email"]["email"] == ADAS
    ledger_is_exact(place)


async def test_a_held_answer_is_checked_when_it_is_sent(place: Place) -> None:
    source = SlowSource(HIT)
    async with running_service(place, source) as it, anyio.create_task_group() as tasks:
        request_id, told = await it.accepted(), []

        async def hold() -> None:
            told.append((await it.get(request_id, prefer="wait=60")).json())

        tasks.start_soon(hold)
        await source.asked.wait()
        suppress(it, PROFILE)
        source.may_answer.set()
        with anyio.fail_after(HANG):
            while not told:
                await anyio.lowlevel.checkpoint()
    assert (told[0]["status"], told[0]["reason"]) == ("not-found", "suppressed")
    assert ADAS not in str(told)


async def test_a_repeated_post_does_not_disclose_a_suppressed_address(place: Place) -> None:
    key = {"idempotency-key": "k"}
    async with running_service(place, FixedSource(HIT)) as it:
        first = await it.post(headers=key)
        await it.final(first.json()["_id"])
        suppress(it, ADDRESS)
        again = await it.post(headers=key)
    assert again.content == first.content
    assert ADAS not in again.text


@pytest.mark.parametrize("subject", [PROFILE, ADDRESS], ids=["by profile", "by address"])
async def test_a_callback_does_not_disclose_an_address_that_was_suppressed_meanwhile(
    place: Place, receiver: ScriptedServer, subject: NamedSubject
) -> None:
    async with running_service(
        place, FixedSource(HIT), allow_private=True, delivery_delays=(0, 0, 0)
    ) as it:

        async def fails_and_meanwhile(stream: SocketStream, seen: ReceivedRequest) -> None:
            suppress(it, subject)
            await replies(503)(stream, seen)

        receiver.will(fails_and_meanwhile, replies(204))
        await it.accepted(callback_url=f"{receiver.url}/hook")
        await until(lambda: len(receiver.seen) == 2)
    before, after = (seen.json for seen in receiver.seen)
    assert before["email"]["email"] == ADAS
    check_suppressed(after, charged=1)


def test_an_import_leaves_out_who_is_suppressed_and_says_how_many(place: Place) -> None:
    database = open_place(place)
    other = replace(ADA_READ, profile="https://www.linkedin.com/in/ada-2", email="ADA@example.com")
    third = replace(other, profile="https://www.linkedin.com/in/grace", email="grace@example.com")
    contacts = [replace(ADA_READ, email="ada@example.org"), other, third]
    for subject in (
        NamedSubject(profile=ADA_READ.profile),
        NamedSubject(address="ada@example.com"),
    ):
        subject_requests.suppress(database, subject, at=1.0)
    report = import_contacts(database, contacts, source="linkedin")
    database.close()
    assert (report.read, report.stored, report.new) == (3, 1, 1)
    assert report.skipped == {SkipReason.SUPPRESSED: 2}
    assert rows(place, "SELECT email, type FROM contact_emails") == [
        ("grace@example.com", EmailType.WORK)
    ]


def test_the_list_names_nobody(place: Place) -> None:
    database = open_place(place)
    subject_requests.suppress(database, PROFILE, at=1.0)
    subject_requests.suppress(database, ADDRESS, at=1.0)
    assert not subject_requests.suppress(database, ADDRESS, at=2.0), "already suppressed"
    database.close()
    kept = str(rows(place, "SELECT * FROM suppressions")) + str(
        rows(place, "SELECT * FROM audit_log")
    )
    assert "ada-" not in kept
    assert "ada@" not in kept
