"""With ENRICHMENT_CONFIRM=always, a credit is spent only after the user has consented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp.types import ElicitResult

from mcp_enrichment.mcp import arguments
from mcp_enrichment.settings.types import Confirm
from tests.mcp.faces import PATIENT, WORK, data_of, error_of, face, wire
from tests.support.passing_time import pass_time
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

pytestmark = pytest.mark.anyio

REQUEST = "request_email_enrichment"


class Person:
    """Answers the server's questions to the user, and records them."""

    def __init__(self, *actions: str) -> None:
        self.asked: list[str] = []
        self._actions = list(actions)

    async def __call__(self, _context: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        fields = params.requested_schema["properties"]
        assert [field["type"] for field in fields.values()] == ["boolean"], "VS Code needs a field"
        assert "required" not in params.requested_schema
        return ElicitResult(action=self._actions.pop(0))


@pytest.fixture
def careful(remote: Settings) -> Settings:
    return remote.model_copy(update={"confirm": Confirm.ALWAYS})


async def test_a_credit_is_spent_once_the_person_agrees(
    vendor: ScriptedServer, careful: Settings, era: str
) -> None:
    vendor.will(replies(201, wire("completed")))
    person = Person("accept")
    async with face(careful, era, person=person) as client:
        found = data_of(await client.call_tool(REQUEST, PATIENT))
    assert found["email"] == "ada.okafor@example.com"
    assert person.asked == [
        "Look up the work email of https://www.linkedin.com/in/ada-okafor-example? "
        "It costs one credit when an address is found."
    ]
    assert len(vendor.posts) == 1


@pytest.mark.parametrize(
    ("callback_url", "shown"),
    [
        ("https://Collector.example/ada?x=1", "collector.example"),
        ("https://good.example:443@collector.example/", "an address that cannot be shown"),
        ("https://good.example\\@collector.example/", "an address that cannot be shown"),
        ("https://collect\u043er.example/", "an address that cannot be shown"),
        ("https://x.example? It is free. Agree", "x.example"),
    ],
)
async def test_the_person_is_told_where_else_the_answer_would_be_sent(
    vendor: ScriptedServer, careful: Settings, era: str, callback_url: str, shown: str
) -> None:
    person = Person("decline")
    async with face(careful, era, person=person) as client:
        error_of(await client.call_tool(REQUEST, PATIENT | {"callback_url": callback_url}))
    assert person.asked == [
        "Look up the work email of https://www.linkedin.com/in/ada-okafor-example, and send the "
        f"answer to {shown}, too? It costs one credit when an address is found."
    ]
    assert not vendor.seen


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_nothing_is_sent_where_the_person_does_not_agree(
    vendor: ScriptedServer, careful: Settings, era: str, action: str
) -> None:
    async with face(careful, era, person=Person(action)) as client:
        error = error_of(await client.call_tool(REQUEST, PATIENT))
    assert (error["code"], error["charged"]) == ("budget_exceeded", False)
    assert "Nobody has agreed" in error["sentence"]
    assert not vendor.seen


async def test_nothing_is_sent_where_nobody_can_be_asked(
    vendor: ScriptedServer, careful: Settings, era: str
) -> None:
    async with face(careful, era) as client:
        error = error_of(await client.call_tool(REQUEST, PATIENT))
    assert error["code"] == "budget_exceeded"
    assert "this client cannot ask" in error["sentence"]
    assert not vendor.seen


async def test_nobody_is_asked_about_what_costs_nothing(
    vendor: ScriptedServer, careful: Settings, era: str
) -> None:
    vendor.will(replies(201, wire("completed")))
    vendor.always(replies(200, wire("completed")))
    person = Person("accept")
    async with face(careful, era, person=person) as client:
        first = data_of(await client.call_tool(REQUEST, PATIENT))
        again = data_of(await client.call_tool(REQUEST, PATIENT))
        data_of(await client.call_tool("get_enrichment", {"id": first["id"]}))
        data_of(await client.call_tool("wait_for_enrichment", {"ids": first["id"]}))
    assert again["reused"]
    assert len(person.asked) == 1


async def test_a_person_who_does_not_answer_holds_no_call_beyond_its_cap(
    vendor: ScriptedServer, careful: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments, "WAIT_CAP", 50)
    began = anyio.current_time()

    async def thinks(_context: Any, _params: Any) -> ElicitResult:
        pass_time(began + 50 - anyio.current_time())
        await anyio.sleep_forever()
        raise AssertionError

    async with face(careful, "legacy", person=thinks) as client:
        with anyio.fail_after(HANG):
            error = error_of(await client.call_tool(REQUEST, WORK | {"wait_seconds": 0}))
    assert (error["code"], error["charged"]) == ("budget_exceeded", False)
    assert not vendor.seen


async def test_with_confirmation_set_to_never_nobody_is_asked(
    vendor: ScriptedServer, remote: Settings, era: str
) -> None:
    vendor.will(replies(201, wire("completed")))
    person = Person()
    async with face(remote, era, person=person) as client:
        data_of(await client.call_tool(REQUEST, PATIENT))
    assert not person.asked
