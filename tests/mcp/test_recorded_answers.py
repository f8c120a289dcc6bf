"""The recorded answers are those of the SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from mcp_enrichment.mcp import apps
from mcp_enrichment.mcp.stdio.recorded import FILE, RecordedAnswers
from tests.mcp.pipes import handshake, modern, request
from tests.mcp.sdk_answers import record, sdk_answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INITIALIZE = request(0, "initialize", handshake()).encode()
DISCOVER = request(0, "server/discover", modern()).encode()
CAPABILITIES: list[Any] = [
    {},
    {"roots": {"listChanged": True}, "sampling": {}, "elicitation": {}},
    {"elicitation": {"form": {"applyDefaults": True}, "url": {}}},
    {"sampling": {"context": {}, "tools": {}}, "experimental": {"example/a": {"b": [1, None]}}},
    {"tasks": {"list": {}, "cancel": {}, "requests": {"sampling": {"createMessage": {}}}}},
    {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html"]}}},
    {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": [apps.MIME_TYPE]}, "x/y": {}}},
]
"""The capabilities that clients declare."""
CLIENTS: list[Any] = [
    {"name": "example-client", "version": "1.0"},
    {"name": "é", "version": "", "title": "An example", "websiteUrl": "https://example.com"},
]
META = "io.modelcontextprotocol/"
GREETING = handshake() | {
    "capabilities": {name: of for one in CAPABILITIES for name, of in one.items()}
}
ENVELOPE = modern()
ENVELOPE["_meta"] |= {
    f"{META}clientCapabilities": GREETING["capabilities"],
    f"{META}clientInfo": CLIENTS[1],
    "progressToken": "a",
}
MODERN_MESSAGES = [request(1, "tools/list", ENVELOPE), request(1, "server/discover", ENVELOPE)]
MESSAGES = [
    request(1, "initialize", GREETING),
    request(1, "tools/list", {"_meta": {"progressToken": 1}}),
    *MODERN_MESSAGES,
]
NAMES = [
    *("jsonrpc", "id", "method", "params", "result", "_meta", "progressToken", "cursor"),
    *("protocolVersion", "capabilities", "clientInfo", "name", "title", "icons", "websiteUrl"),
    *("roots", "listChanged", "elicitation", "form", "tasks", "requests", "extensions", "other"),
    *(f"{META}{name}" for name in ("protocolVersion", "clientInfo", "logLevel", "other")),
]
VALUES: list[Any] = [
    *(None, True, 0, -1, 1.0, 1e999, 2**53, 10**400, "", "x", "1", "\ud83d\ude00", "\ud800"),
    *({}, {"a": 1}, {"a": {}}, {"a": {"b": 1}}, [], [1], [{}]),
    *("debug", "2.0", "ping", "tools/list", "2025-03-26", "2026-07-28", "2027-01-01"),
]


def recorded(*sent: bytes) -> list[str]:
    """The answers that are recorded, to the messages of one client."""
    answers = RecordedAnswers()
    return _lines(answers.answer(line) for line in sent)


def _lines(given: Iterable[tuple[Any, bytes] | None]) -> list[str]:
    return [answer[1].decode().removesuffix("\n") for answer in given if answer]


def test_the_record_is_up_to_date() -> None:
    assert Path(FILE).read_text("utf-8") == anyio.run(record), "run `python3 tasks.py docs`"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("capabilities", CAPABILITIES)
@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
def test_each_handshake_is_answered_as_by_the_sdk(
    version: str, capabilities: Any, client: Any
) -> None:
    params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": client}
    sent = [
        request("0", "initialize", params).encode(),
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
        request(2, "tools/list", {"_meta": {"progressToken": 2}}).encode(),
    ]
    answers = recorded(*sent)
    assert len(answers) == 3
    assert answers == anyio.run(sdk_answers, sent)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("capabilities", CAPABILITIES)
def test_each_request_without_a_handshake_is_answered_as_by_the_sdk(
    capabilities: Any, client: Any
) -> None:
    params = modern()
    params["_meta"] |= {
        f"{META}clientCapabilities": capabilities,
        f"{META}clientInfo": client,
        "progressToken": "a",
    }
    sent = [
        request(number, method, params).encode()
        for number, method in enumerate(("tools/list", "server/discover", "tools/list"))
    ]
    answers = recorded(*sent)
    assert len(answers) == 3
    assert answers == anyio.run(sdk_answers, sent)


def variants(message: dict[str, Any]) -> Iterator[bytes]:
    """The message with one member, at any depth, that is changed, added or removed."""
    for place in _objects(message):
        for name in {*place, *NAMES}:
            before = dict(place)
            for value in VALUES:
                place[name] = value
                yield _bytes(message)
            place.pop(name)
            yield _bytes(message)
            place.clear()
            place.update(before)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        for member in list(value.values()):
            yield from _objects(member)
        yield value


def _bytes(message: Any) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize("message", MESSAGES)
def test_no_variant_of_a_message_is_answered_otherwise_than_by_the_sdk(message: str) -> None:
    opening = DISCOVER if message in MODERN_MESSAGES else INITIALIZE
    sent, answers = [opening], RecordedAnswers()
    given = [answers.answer(opening)]
    for line in variants(json.loads(message)):
        answers.has_ended = False
        if answer := answers.answer(line):
            sent.append(line)
            given.append(answer)
    assert len(sent) > len(VALUES)
    assert _lines(given) == anyio.run(sdk_answers, sent)


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\r',
        b' {"jsonrpc" : "2.0", "method": "tools/list", "params": null, "id": "\\n\\"/\x7f"} ',
    ],
)
def test_unusual_forms_are_answered_as_by_the_sdk(line: bytes) -> None:
    answers = recorded(INITIALIZE, line)
    assert len(answers) == 2
    assert answers == anyio.run(sdk_answers, [INITIALIZE, line])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"\xff",
        b"\xef\xbb\xbf" + INITIALIZE,
        INITIALIZE + INITIALIZE,
        INITIALIZE.replace(b"{", b'{"result": {}, ', 1),
        INITIALIZE.replace(b"test", rb"\ud800"),
        INITIALIZE.replace(b"{}", b'{"a": {"b": {"c": %s}}}' % (b"[" * 300 + b"]" * 300)),
        INITIALIZE.replace(b"{}", b'{"a": {"b": {"c": NaN}}}'),
        INITIALIZE.replace(b"{}", b'{"a": {"b": {"c": "%s"}}}' % (b"x" * 20_000)),
    ],
)
def test_what_is_no_plain_message_is_left_to_the_sdk_and_so_is_all_that_follows(
    line: bytes,
) -> None:
    assert not recorded(line, INITIALIZE)
