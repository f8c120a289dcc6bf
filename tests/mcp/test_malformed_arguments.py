"""Arguments that are not an object, as some clients send them, over both transports."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.mcp.pipes import modern
from tests.mcp.raw_pipe import raw_pipe
from tests.over_http.served import call, served
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Ask = Callable[..., dict[str, Any]]

LEFT_OUT = object()
ID = "6650c0ffee0123456789abcd"


def _id(given: Any) -> str:
    return "left out" if given is LEFT_OUT else str(given)


@contextmanager
def _stdio(folder: Path, era: str) -> Iterator[Ask]:
    with raw_pipe(folder, era) as pipe:
        pipe.open()

        def ask(tool: str, arguments: Any) -> dict[str, Any]:
            params = _without_left_out({"name": tool, "arguments": arguments})
            return pipe.ask("tools/call", params if era == "legacy" else modern(**params))

        yield ask


@contextmanager
def _http(folder: Path, era: str) -> Iterator[Ask]:
    with served(folder, HTTP_OPEN="true") as face:

        def ask(tool: str, arguments: Any) -> dict[str, Any]:
            posted = call(era, tool, arguments)
            posted["json"]["params"] = _without_left_out(posted["json"]["params"])
            answer = httpx.post(face.url, timeout=HANG, **posted).text
            lines = [line.removeprefix("data: ") for line in answer.splitlines()]
            return json.loads(next(line for line in lines if line.startswith("{")))

        yield ask


def _without_left_out(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not LEFT_OUT}


@pytest.fixture(scope="module", params=["legacy", "modern"])
def era(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=[_stdio, _http], ids=["stdio", "http"])
def ask(
    request: pytest.FixtureRequest, era: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    """Calls a tool over one transport, with or without a handshake; returns the answer."""
    with request.param(tmp_path_factory.mktemp("bent"), era) as asking:
        assert any(_is_served(asking) for _ in range(20))
        yield asking


def _is_served(ask: Ask) -> bool:
    """Whether the embedded service is open, which may take longer than one call."""
    return "structuredContent" in ask("get_credits", {})["result"]


@pytest.mark.parametrize("nothing", [{}, [], None, "", " ", "{}", "[]", "null", LEFT_OUT], ids=_id)
def test_no_arguments_may_be_written_in_any_way(ask: Ask, nothing: Any) -> None:
    assert ask("get_credits", nothing)["result"]["structuredContent"]["balance"] == 250
    refused = ask("get_enrichment", nothing)["result"]
    assert refused["isError"]
    assert refused["content"][0]["text"].startswith("id is missing")


def test_arguments_may_be_the_text_that_the_model_wrote(ask: Ask) -> None:
    refused = ask("get_enrichment", json.dumps({"id": f" {ID} "}))["result"]
    assert refused["_meta"]["error"]["code"] == "unknown_enrichment"


@pytest.mark.parametrize("broken", [7, True, [1], "maybe", "[1]", '{"id": ', "[" * 5000])
def test_arguments_that_are_no_object_are_refused_in_one_sentence(ask: Ask, broken: Any) -> None:
    error = ask("get_credits", broken)["error"]
    assert error["code"] == -32602
    assert "must be a JSON object" in error["message"]
    assert "nothing charged" in error["message"]


def test_bent_arguments_reach_the_tool_in_the_form_that_is_meant(ask: Ask) -> None:
    asked = {"linkedin_url": " linkedin.com/in/ada-okafor-example\n", "type": " Work", "a": 1}
    filled = {"callback_url": "", "external_id": None, "wait_seconds": "0", "force_refresh": "no"}
    found = ask("request_email_enrichment", asked | filled)["result"]
    assert found["_meta"]["ignored_arguments"] == ["a"]
    its_id = found["structuredContent"]["id"]
    waited = ask("wait_for_enrichment", {"ids": f'["{its_id}", ""]', "timeout_seconds": "50"})
    [one] = waited["result"]["structuredContent"]["enrichments"]
    assert one["id"] == its_id
    assert one["type"] == "work"
