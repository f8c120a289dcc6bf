"""Invalid lines: random ones, and some extreme ones."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.mcp.pipes import modern

METHODS = (
    "initialize",
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "ping",
    "prompts/list",
    "resources/read",
    "server/discover",
    "subscriptions/listen",
    "tools/call",
    "tools/list",
)
TOOLS = ("get_credits", "get_enrichment", "request_email_enrichment", "wait_for_enrichment")


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def lines() -> st.SearchStrategy[bytes]:
    """Messages with an error in them, batches, broken messages, other JSON, arbitrary bytes."""
    whole = _messages().map(as_json)
    batches = st.lists(_messages(), max_size=4).map(as_json)
    return whole | batches | _broken(whole) | _anything().map(as_json) | st.binary(max_size=300)


def _messages() -> st.SearchStrategy[dict[str, Any]]:
    maybe = {
        "id": _ids(),
        "method": st.sampled_from(METHODS) | _anything(),
        "params": _parameters(),
        "result": _anything(),
        "error": _anything(),
    }
    return st.fixed_dictionaries({"jsonrpc": st.just("2.0") | _anything()}, optional=maybe)


def _broken(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda line, at, until, bytes_: line[: at % len(line)] + bytes_ + line[until % len(line) :],
        whole,
        st.integers(0),
        st.integers(0),
        st.binary(max_size=3),
    )


def _parameters() -> st.SearchStrategy[Any]:
    tool, value = st.sampled_from(TOOLS), _anything()
    arguments = st.dictionaries(st.sampled_from(("id", "ids", "linkedin_url", "type")), value)
    return (
        value
        | st.fixed_dictionaries({"name": tool, "arguments": arguments})
        | st.fixed_dictionaries({"requestId": _ids()})
        | st.fixed_dictionaries({"protocolVersion": value})
        | st.fixed_dictionaries({"_meta": value})
        | st.builds(lambda name, wrong: modern(name=name, arguments={"no": wrong}), tool, value)
        | st.builds(lambda name, token: modern(name=name) | _token(token), tool, value)
    )


def _token(token: Any) -> dict[str, Any]:
    return {"_meta": modern()["_meta"] | {"progressToken": token}}


def _ids() -> st.SearchStrategy[Any]:
    return st.integers(0, 99) | _anything()


def _anything() -> st.SearchStrategy[Any]:
    huge = st.integers(0, 4000).map(lambda digits: 10**digits)
    simple = st.none() | st.booleans() | st.integers() | huge | st.floats() | st.text(max_size=20)
    return st.recursive(
        simple,
        lambda value: (
            st.lists(value, max_size=4) | st.dictionaries(st.text(max_size=8), value, max_size=4)
        ),
        max_leaves=10,
    )


def _request(params: bytes = b"{}", *, its_id: bytes = b"1", method: bytes = b"ping") -> bytes:
    return b'{"jsonrpc": "2.0", "id": %s, "method": "%s", "params": %s}' % (its_id, method, params)


MONSTERS = {
    "lists as deep as is allowed": _request(b'{"a": %s}' % (b"[" * 190 + b"]" * 190)),
    "lists too deep": _request(b'{"a": %s}' % (b"[" * 100_000 + b"]" * 100_000)),
    "objects too deep": _request(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "lists that never end": b"[" * 1_000_000,
    "an id of 4300 digits": _request(its_id=b"9" * 4300),
    "an id of a million digits": _request(its_id=b"9" * 1_000_000),
    "an id of a million letters": _request(its_id=b'"%s"' % (b"x" * 1_000_000)),
    "half a surrogate pair as id": _request(its_id=b'"\\ud800"'),
    "a method of a million letters": _request(method=b"m" * 1_000_000),
    "a tool of a million letters": _request(
        b'{"name": "%s"}' % (b"n" * 1_000_000), method=b"tools/call"
    ),
    "numbers that are none": _request(b'{"a": NaN, "b": -Infinity, "c": 1e999}'),
    "a batch of ten thousand": b"[%s]" % b",".join([_request()] * 10_000),
    "ten thousand cancellations of one id": b"\n".join(
        [b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'] * 10_000
    ),
    "one id ten thousand times": b"\n".join([_request()] * 10_000),
    "a line of nine megabytes": b"x" * 9_000_000,
    "empty lines": b"\n" * 500_000,
    "lines that Windows would send": b"\r\n" * 100_000,
    "zeros": b"\x00" * 100_000,
    "no UTF-8": b"\xff" * 100_000,
}
