"""Variants of headers and paths that clients send are served, or refused with the reason."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.datastructures import Headers

from mcp_enrichment.mcp.http.allowed_hosts import allowed_hosts
from mcp_enrichment.mcp.http.request import HTTPError
from tests.over_http.served import Served, call, served
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = "application/json, text/event-stream"
WAIT = {"ids": ["0" * 24], "timeout_seconds": 1}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("http"), HTTP_OPEN="true") as running:
        yield running


def post(url: str, era: str, tool: str, headers: list[tuple[str, str]]) -> httpx.Response:
    """POST a call in which headers of these names are replaced."""
    asked = call(era, tool, WAIT if tool == "wait_for_enrichment" else {})
    names = {name.lower() for name, _ in headers}
    kept = [(name, text) for name, text in asked["headers"].items() if name not in names]
    body = json.dumps(asked["json"]).encode()
    sent = kept + [(name, text) for name, text in headers if text]
    with httpx.Client(timeout=HANG) as http:
        request = http.build_request("POST", url, content=body)
        request.headers = httpx.Headers([("host", request.headers["host"]), *sent])
        request.headers["content-length"] = str(len(body))
        return http.send(request)


def answered(answer: httpx.Response) -> Any:
    """The message with the answer: alone, or the last one of a stream."""
    if answer.headers["content-type"].startswith("application/json"):
        return answer.json()
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    return json.loads(lines[-1].removeprefix("data: "))


@pytest.mark.parametrize("tool", ["get_credits", "wait_for_enrichment"])
@pytest.mark.parametrize(
    "headers",
    [
        [("Accept", "application/json"), ("Accept", "text/event-stream")],
        [("Accept", "text/event-stream"), ("Accept", "application/json")],
        [("Accept", "Application/JSON, Text/Event-Stream")],
        [("Accept", "application/json;q=0.9, text/event-stream; q=0.5, */*;q=0.1")],
        [("Accept", "*/*")],
        [("Accept", "")],
        [("Accept", "application/json")],
        [("Accept", BOTH), ("Content-Type", "Application/JSON")],
        [("Accept", BOTH), ("Content-Type", "application/json; charset=utf-8")],
        [("Accept", BOTH), ("Content-Type", 'APPLICATION/json;Charset="UTF-8"')],
    ],
)
def test_headers_that_mean_the_same_are_served_the_same(
    site: Served, era: str, tool: str, headers: list[tuple[str, str]]
) -> None:
    answer = post(site.url, era, tool, headers)
    assert answer.status_code == 200, answer.text
    assert answered(answer)["id"] == 1


def test_a_client_that_accepts_no_json_gets_a_406(site: Served, era: str) -> None:
    answer = post(site.url, era, "get_credits", [("Accept", "text/html")])
    assert answer.status_code == 406


def test_the_path_is_served_with_a_slash_at_its_end_too(site: Served, era: str) -> None:
    answer = post(f"{site.url}/", era, "get_credits", [])
    assert answered(answer)["result"]["structuredContent"]["balance"] == 250


HOSTS = {
    "as it was given": ("mcp.example", "mcp.example:8701"),
    "in upper case": ("mcp.example", "MCP.Example:8701"),
    "with the dot of a whole name": ("mcp.example", "mcp.example.:8701"),
    "given with that dot": ("mcp.example.", "mcp.example:8701"),
    "by its address": ("mcp.example", "10.0.0.5:8701"),
}


@pytest.mark.parametrize("how", HOSTS)
def test_a_server_answers_to_the_name_that_it_was_started_with(how: str) -> None:
    name, host = HOSTS[how]
    allowed_hosts("10.0.0.5", 8701, name=name).check(Headers({"host": host}))


@pytest.mark.parametrize("host", ["[::1]:8701", "[0:0:0:0:0:0:0:1]:8701", "[::0001]:8701"])
def test_an_ipv6_address_is_known_in_each_of_its_forms(host: str) -> None:
    allowed_hosts("::1", 8701).check(Headers({"host": host}))


def test_the_port_that_a_client_leaves_out_is_80() -> None:
    names = allowed_hosts("10.0.0.5", 80, name="mcp.example")
    for host in ("mcp.example", "mcp.example:80", "10.0.0.5"):
        names.check(Headers({"host": host}))
    with pytest.raises(HTTPError):
        allowed_hosts("10.0.0.5", 8701, name="mcp.example").check(Headers({"host": "mcp.example"}))


def test_a_name_on_the_command_line_is_served(tmp_path: Any, era: str) -> None:
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, 0, socket.AF_INET)
    except OSError:
        pytest.skip("this machine does not know its own name")
    with served(tmp_path, "--host", name, API_URL="https://api.example", API_KEY="key") as running:
        named = f"http://{name}:{running.port}/mcp"
        answer = post(named, era, "get_credits", [])
        assert answer.status_code == 401, "it demands a credential, and accepts the name"


def test_a_refusal_names_the_setting_in_the_log_and_not_what_was_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = allowed_hosts("127.0.0.1", 8701)
    for sent in (
        {"host": "other.example"},
        {"host": "localhost:8701", "origin": "https://page.example"},
    ):
        with pytest.raises(HTTPError):
            names.check(Headers(sent))
    of_host, of_origin = caplog.messages
    assert "ENRICHMENT_HTTP_HOSTS" in of_host
    assert "ENRICHMENT_HTTP_ORIGINS" in of_origin
    assert "other.example" not in caplog.text
    assert "page.example" not in caplog.text
