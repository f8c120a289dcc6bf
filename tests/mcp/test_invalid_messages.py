"""Each invalid request gets an error with its id, over both transports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mcp_enrichment.mcp.stdio.streams import MAX_LINE
from tests.mcp.pipes import LEGACY, MODERN
from tests.mcp.raw_pipe import RawPipe, raw_pipe
from tests.over_http.served import ACCEPT, Served, served
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator

INVALID_JSON, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602
ERAS = ["legacy", "modern"]


def ping(its_id: bytes = b'"it"', **members: bytes) -> bytes:
    """A request with these members, as the Python SDK orders them."""
    known = {"jsonrpc": b'"2.0"', "id": its_id, "method": b'"ping"'} | members
    return b"{%s}" % b",".join(b'"%s":%s' % (key.encode(), text) for key, text in known.items())


def id_at_the_end(params: bytes) -> bytes:
    """A request as the TypeScript SDK orders its members."""
    return b'{"method":"ping","params":%s,"jsonrpc":"2.0","id":"it"}' % params


def deep(levels: int) -> bytes:
    return b'{"a":%s}' % (b"[" * levels + b"]" * levels)


REFUSED: dict[str, tuple[bytes, int, list[Any]]] = {
    "params that are a text": (ping(params=b'""'), INVALID_PARAMS, ["it"]),
    "params by position": (ping(params=b"[1]"), INVALID_PARAMS, ["it"]),
    "params 300 deep": (ping(params=deep(300)), INVALID_JSON, ["it"]),
    "params 300 deep, the id last": (id_at_the_end(deep(300)), INVALID_JSON, ["it"]),
    "params 20,000 deep": (ping(params=deep(20_000)), INVALID_JSON, ["it"]),
    "params 20,000 deep, the id last": (id_at_the_end(deep(20_000)), INVALID_JSON, ["it"]),
    "an id that is a fraction": (ping(b"3.5"), INVALID_REQUEST, [None]),
    "an id that is null": (ping(b"null"), INVALID_REQUEST, [None]),
    "an id that is true": (ping(b"true"), INVALID_REQUEST, [None]),
    "an id that is a list": (ping(b"[1]"), INVALID_REQUEST, [None]),
    "an id of 5,000 digits": (ping(b"9" * 5_000), INVALID_JSON, [None]),
    "no jsonrpc": (b'{"id":"it","method":"ping"}', INVALID_REQUEST, ["it"]),
    "jsonrpc 1.0": (ping(jsonrpc=b'"1.0"'), INVALID_REQUEST, ["it"]),
    "jsonrpc as a number": (ping(jsonrpc=b"2.0"), INVALID_REQUEST, ["it"]),
    "no method": (b'{"jsonrpc":"2.0","id":"it"}', INVALID_REQUEST, ["it"]),
    "a method that is a number": (ping(method=b"5"), INVALID_REQUEST, ["it"]),
    "a notification whose method is a number": (
        b'{"jsonrpc":"2.0","method":5}',
        INVALID_REQUEST,
        [None],
    ),
    "a NUL at the end": (ping() + b"\x00", INVALID_JSON, ["it"]),
    "a comma too many": (ping()[:-1] + b",}", INVALID_JSON, ["it"]),
    "an end that is missing": (ping()[:-1], INVALID_JSON, ["it"]),
    "an id that is cut off": (b'{"jsonrpc":"2.0","id":12', INVALID_JSON, [None]),
    "a member without quotes": (ping(params=b"{a:1}"), INVALID_JSON, ["it"]),
    "the same, the id last": (id_at_the_end(b"{a:1}"), INVALID_JSON, ["it"]),
    "a control character in a text": (ping(params=b'{"a":"\x01"}'), INVALID_JSON, ["it"]),
    "a batch of one": (b"[%s]" % ping(), INVALID_REQUEST, ["it"]),
    "an empty batch": (b"[]", INVALID_REQUEST, [None]),
    "a number": (b"5", INVALID_REQUEST, [None]),
    "no JSON": (b"hello", INVALID_JSON, [None]),
    "UTF-16": (ping().decode().encode("utf-16"), INVALID_JSON, [None]),
}
MANY = {
    "two requests on a line": (ping(b"1") + ping(b"2"), INVALID_JSON),
    "a batch of two": (b"[%s,%s]" % (ping(b"1"), ping(b"2")), INVALID_REQUEST),
}
TAKEN: dict[str, bytes] = {
    "params that are an empty list": ping(params=b"[]"),
    "params that are null": ping(params=b"null"),
    "a byte order mark": b"\xef\xbb\xbf" + ping(),
    "half a surrogate pair": ping(params=rb'{"a":"\ud800","b":"\udc00 \ud83d\ude00 \\ud800"}'),
    "a byte that is no UTF-8": ping(params=b'{"a":"\xff"}'),
    "the end of a line on Windows": ping() + b"\r",
    "a result that no request has": ping(result=b"{}"),
}


@pytest.fixture(scope="module", params=ERAS)
def pipe(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RawPipe]:
    with raw_pipe(tmp_path_factory.mktemp(request.param), request.param) as opened:
        opened.open()
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("http"), HTTP_OPEN="true", RATE_LIMIT="100000") as running:
        yield running


def posted(site: Served, body: bytes, era: str) -> httpx.Response:
    version = LEGACY if era == "legacy" else MODERN
    headers = ACCEPT | {"mcp-protocol-version": version, "mcp-method": "ping"}
    return httpx.post(site.url, content=body, headers=headers, timeout=HANG)


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_cannot_be_taken_is_answered_over_stdio(pipe: RawPipe, name: str) -> None:
    sent, code, ids = REFUSED[name]
    *refused, _probe = pipe.survives(sent)
    assert [(one["id"], one["error"]["code"]) for one in refused] == [(ids[0], code)]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_cannot_be_taken_is_answered_over_http(
    site: Served, name: str, era: str
) -> None:
    sent, code, ids = REFUSED[name]
    answer = posted(site, sent, era)
    assert answer.status_code == 400
    told = answer.json()
    assert (told["id"], told["error"]["code"]) == (ids[0], code)


@pytest.mark.parametrize("name", MANY)
def test_of_several_requests_on_a_line_each_is_answered(pipe: RawPipe, name: str) -> None:
    sent, code = MANY[name]
    *refused, _probe = pipe.survives(sent)
    assert [(one["id"], one["error"]["code"]) for one in refused] == [(1, code), (2, code)]


@pytest.mark.parametrize("name", MANY)
def test_several_requests_in_one_body_are_refused_together(site: Served, name: str) -> None:
    answer = posted(site, MANY[name][0], "legacy")
    assert (answer.status_code, answer.json()["id"]) == (400, None)


@pytest.mark.parametrize("name", TAKEN)
def test_harmless_mistakes_in_a_message_are_corrected_over_stdio(pipe: RawPipe, name: str) -> None:
    [answer, _probe] = pipe.survives(TAKEN[name])
    assert answer["id"] == "it"
    assert _is_answered(answer, pipe.era)


@pytest.mark.parametrize("name", TAKEN)
def test_harmless_mistakes_in_a_message_are_corrected_over_http(site: Served, name: str) -> None:
    answer = posted(site, TAKEN[name], "legacy")
    assert answer.status_code == 200
    [data] = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    assert json.loads(data.removeprefix("data: "))["id"] == "it"


def test_an_integer_that_is_written_as_a_fraction_is_an_id(pipe: RawPipe) -> None:
    [answer, _probe] = pipe.survives(ping(b"3.0"))
    assert answer["id"] == 3
    assert _is_answered(answer, pipe.era)


def _is_answered(answer: dict[str, Any], era: str) -> bool:
    """Whether the message has reached the protocol, which without a handshake requires `_meta`."""
    return "result" in answer if era == "legacy" else "params._meta" in answer["error"]["message"]


@pytest.mark.parametrize(
    "line",
    [
        ping(params=b'"%s"' % (b"x" * MAX_LINE)),
        id_at_the_end(b'{"a":"%s"}' % (b"x" * MAX_LINE)),
    ],
    ids=["the id first", "the id last"],
)
def test_a_message_that_is_too_long_is_answered(pipe: RawPipe, line: bytes) -> None:
    [refused, _probe] = pipe.survives(line)
    assert (refused["id"], refused["error"]["code"]) == ("it", INVALID_REQUEST)


def test_a_malformed_notification_is_not_answered(pipe: RawPipe) -> None:
    malformed = (
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":"x"}',
        b'{"method":"notifications/initialized"}',
        b"",
        b"\r",
    )
    assert len(pipe.survives(b"\n".join(malformed))) == 1


def test_two_requests_of_one_id_are_both_answered(pipe: RawPipe) -> None:
    first, second, _probe = pipe.survives(ping() + b"\n" + ping())
    assert first["id"] == second["id"] == "it"
