"""With ENRICHMENT_CONFIRM=always, nothing is sent without a clear consent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.mcp.faces import WORK, wire
from tests.mcp.pipes import MODERN, handshake, modern, piped, request
from tests.over_http.served import call, served
from tests.support.scripted_server import replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mcp.pipes import Piped
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

CALL = {"name": "request_email_enrichment", "arguments": WORK}
FORMS = {"elicitation": {}}
NO_RESULTS: dict[str, Any] = {
    "nothing": None,
    "an empty object": {},
    "a list": [],
    "true": True,
    "a text": "accept",
    "another verb": {"action": "reject"},
    "a capital": {"action": "Accept"},
    "no action": {"action": None},
    "an unticked box": {"action": "accept", "content": {"agreed": False}},
    "a no in the form": {"action": "accept", "content": {"agreed": "no"}},
    "a form that is a text": {"action": "accept", "content": "agreed"},
    "a decline": {"action": "decline"},
    "a cancel": {"action": "cancel"},
}
ERRORS = [-32601, -32602, -32603, -32600, -32700, -32000, -1, 0]
YESES: list[dict[str, Any]] = [
    {"action": "accept"},
    {"action": "accept", "content": None},
    {"action": "accept", "content": {}},
    {"action": "accept", "content": {"agreed": True}},
    {"action": "accept", "content": {"agreed": None}},
]


def _settings(vendor: ScriptedServer) -> dict[str, str]:
    return {"API_URL": vendor.url, "API_KEY": "a-key", "CONFIRM": "always"}


def _is_not_confirmed(result: dict[str, Any], *, says: str = "Nobody has agreed") -> None:
    error = result["_meta"]["error"]
    assert (error["code"], error["charged"]) == ("budget_exceeded", False)
    [told] = result["content"]
    assert says in told["text"]
    assert "Nothing was sent and nothing charged" in told["text"]


async def _question_id(server: Piped) -> Any:
    """The id of the question that the server asks during a call."""
    await server.send(request("the call", "tools/call", CALL))
    while True:
        message = json.loads(await server.line())
        if message.get("method") == "elicitation/create":
            return message["id"]


async def _answered(server: Piped, answer: dict[str, Any]) -> dict[str, Any]:
    asked = await _question_id(server)
    await server.send(json.dumps({"jsonrpc": "2.0", "id": asked} | answer))
    while True:
        message = json.loads(await server.line())
        if message.get("id") == "the call":
            result: dict[str, Any] = message["result"]
            return result


async def _shaken_hands(server: Piped) -> None:
    await server.ask("initialize", handshake() | {"capabilities": FORMS})
    await server.send('{"jsonrpc": "2.0", "method": "notifications/initialized"}')


async def test_over_stdio_no_answer_but_a_clear_yes_spends_anything(
    tmp_path: Path, vendor: ScriptedServer, subtests: pytest.Subtests
) -> None:
    async with piped(tmp_path, **_settings(vendor)) as server:
        await _shaken_hands(server)
        for what, result in NO_RESULTS.items():
            with subtests.test(what):
                _is_not_confirmed(await _answered(server, {"result": result}))
        for code in ERRORS:
            with subtests.test(code=code):
                error = {"code": code, "message": "no"}
                says = "this client cannot ask" if code == -32601 else "Nobody has agreed"
                _is_not_confirmed(await _answered(server, {"error": error}), says=says)
        for bad in (None, "no", {"code": "x"}):
            with subtests.test(error=bad):
                _is_not_confirmed(await _answered(server, {"error": bad}))
        assert not vendor.posts


async def test_over_stdio_a_clear_yes_spends_whatever_the_form_holds(
    tmp_path: Path, vendor: ScriptedServer, subtests: pytest.Subtests
) -> None:
    vendor.always(replies(201, wire("not-found")))
    async with piped(tmp_path, **_settings(vendor), MISS_DAYS="0") as server:
        await _shaken_hands(server)
        for count, yes in enumerate(YESES, start=1):
            with subtests.test(yes=yes):
                result = await _answered(server, {"result": yes})
                assert "isError" not in result or not result["isError"]
                assert len(vendor.posts) == count


async def test_a_call_that_is_cancelled_while_the_person_is_asked_sends_nothing(
    tmp_path: Path, vendor: ScriptedServer
) -> None:
    async with piped(tmp_path, **_settings(vendor)) as server:
        await _shaken_hands(server)
        asked = await _question_id(server)
        cancel = {"method": "notifications/cancelled", "params": {"requestId": "the call"}}
        await server.send(json.dumps({"jsonrpc": "2.0"} | cancel))
        late = {"jsonrpc": "2.0", "id": asked, "result": {"action": "accept"}}
        await server.send(json.dumps(late))
        assert await server.ends() == 0
    assert not vendor.posts


async def test_a_client_that_leaves_while_the_person_is_asked_has_sent_nothing(
    tmp_path: Path, vendor: ScriptedServer
) -> None:
    async with piped(tmp_path, **_settings(vendor)) as server:
        await _shaken_hands(server)
        await _question_id(server)
        assert await server.ends() == 0
    assert not vendor.posts


def _without_a_handshake(answers: Any) -> dict[str, Any]:
    params = modern(**CALL, inputResponses=answers)
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = FORMS
    return params


UNCLEAR = {what: {"spend": result} for what, result in NO_RESULTS.items()} | {
    "answers that are a list": [{"action": "accept"}],
    "answers that are a text": "accept",
}


async def test_without_a_handshake_no_answer_but_a_clear_yes_spends_anything(
    tmp_path: Path, vendor: ScriptedServer, subtests: pytest.Subtests
) -> None:
    async with piped(tmp_path, **_settings(vendor)) as server:
        for what, answers in UNCLEAR.items():
            with subtests.test(what):
                _is_not_confirmed(await server.ask("tools/call", _without_a_handshake(answers)))
        with subtests.test("another question's answer"):
            others = {"other": {"action": "accept"}}
            asked = await server.ask("tools/call", _without_a_handshake(others))
            assert "spend" in asked["inputRequests"]
        assert not vendor.posts


async def test_over_http_no_answer_but_a_clear_yes_spends_anything(
    tmp_path: Path, vendor: ScriptedServer, subtests: pytest.Subtests
) -> None:
    with served(tmp_path, **_settings(vendor), HTTP_OPEN="true") as face:
        async with httpx.AsyncClient(timeout=HANG) as http:
            for what, answers in UNCLEAR.items():
                with subtests.test(what):
                    posted = call(MODERN, CALL["name"], WORK)
                    posted["json"]["params"] = _without_a_handshake(answers)
                    _is_not_confirmed(_result(await http.post(face.url, **posted)))
    assert not vendor.posts


async def test_over_http_with_a_handshake_it_is_said_that_the_server_cannot_ask_there(
    tmp_path: Path, vendor: ScriptedServer
) -> None:
    with served(tmp_path, **_settings(vendor), HTTP_OPEN="true") as face:
        async with httpx.AsyncClient(timeout=HANG) as http:
            posted = call("legacy", CALL["name"], WORK)
            result = _result(await http.post(face.url, **posted))
    _is_not_confirmed(result, says="this server cannot ask for it over HTTP")
    assert "over stdio" in result["content"][0]["text"]
    assert not vendor.posts


def _result(response: httpx.Response) -> dict[str, Any]:
    text = response.text
    if "text/event-stream" in response.headers["content-type"]:
        text = [line for line in text.splitlines() if line.startswith("data: {")][-1][6:]
    result: dict[str, Any] = json.loads(text)["result"]
    return result
