"""Reads an HTTP request before the SDK does, and refuses it: its body, its tool, its headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import INVALID_REQUEST, JSONRPCRequest
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from mcp_enrichment.mcp import apps
from mcp_enrichment.mcp.jsonrpc import NO_REQUEST, InvalidMessage, parse_message
from mcp_enrichment.mcp.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Receive, Scope

SERVER_ERROR = -32000
"""A code that JSON-RPC reserves for servers."""
MAX_BODY = 256 * 1024
"""Bytes. A hundred ids of the greatest length take a twentieth of it. An argument of 100 kB reaches
its tool, which refuses it by name."""
BODY_SECONDS = 10.0
"""Time for the body to arrive after the headers."""
ANY_TYPE = "*/*"
_QUICK_TOOLS = frozenset(tool.name for tool in TOOLS if not tool.waits)


class HTTPError(Exception):
    """The request is refused. The sentence contains no text from outside."""

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        code: int = SERVER_ERROR,
        request_id: str | int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.code = status, code
        self._request_id, self._headers = request_id, headers

    def response(self) -> JSONResponse:
        """The response. Its `id` is null if the id of the request is not known."""
        error = {"code": self.code, "message": str(self)}
        body = {"jsonrpc": "2.0", "id": self._request_id, "error": error}
        return JSONResponse(body, self.status, headers=self._headers)


async def read_body(receive: Receive) -> bytes:
    """Read the whole body. Raises `HTTPError` if it is too long or too slow."""
    body = bytearray()
    with anyio.move_on_after(BODY_SECONDS):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise HTTPError(400, "The connection was closed before the body had arrived.")
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                raise HTTPError(413, f"The body is longer than {MAX_BODY // 1024} KiB.")
            if not message.get("more_body"):
                return bytes(body)
    raise HTTPError(408, "The body did not arrive in time.")


def replay_body(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the body once more, and then the messages after it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return receive_again


@dataclass(frozen=True, slots=True)
class CalledTool:
    """The tool that a body calls, or whether it is the handshake of a client with the app."""

    name: str | None = None
    """None for any other method than `tools/call`."""
    wants_progress: bool = False
    declares_app: bool = False
    """Whether it is a handshake whose client shows the MCP App."""

    @property
    def is_quick(self) -> bool:
        """Whether the response comes soon and without notifications: it needs no stream."""
        return self.name in _QUICK_TOOLS and not self.wants_progress


def parse_called_tool(body: bytes) -> tuple[CalledTool, bytes]:
    """The tool that the body calls, and the body as the SDK accepts it.

    Raises `HTTPError` for an invalid message: the SDK would quote it.
    """
    try:
        message, body = parse_message(body)
    except InvalidMessage as error:
        request_id = error.ids[0] if len(error.ids) == 1 else None
        raise HTTPError(400, str(error), code=error.code, request_id=request_id) from None
    if message is None:
        raise HTTPError(400, NO_REQUEST, code=INVALID_REQUEST)
    if not isinstance(message, JSONRPCRequest):
        return CalledTool(), body
    params = message.params or {}
    if message.method == "initialize":
        return CalledTool(declares_app=_declares_app(params)), body
    if message.method != "tools/call":
        return CalledTool(), body
    name, meta = params.get("name"), params.get("_meta")
    wants_progress = isinstance(meta, dict) and "progressToken" in meta
    return CalledTool(name if isinstance(name, str) else None, wants_progress), body


def _declares_app(params: Mapping[str, Any]) -> bool:
    capabilities = params.get("capabilities")
    return isinstance(capabilities, dict) and apps.declared_in(capabilities.get("extensions"))


def normalize_headers(scope: Scope) -> Scope:
    """The same request with one `Accept` header and a lower-case media type.

    The SDK reads only the first `Accept` and compares media types case-sensitively. By RFC 9110,
    several headers are one list (5.3), media types are case-insensitive (8.3.1), and a missing
    `Accept` allows any type (12.5.1).
    """
    given = Headers(scope=scope)
    headers = MutableHeaders(raw=[pair for pair in given.raw if pair[0] != b"accept"])
    headers["accept"] = ", ".join(given.getlist("accept")) or ANY_TYPE
    if "content-type" in headers:
        headers["content-type"] = _lower_media_type(headers["content-type"])
    return {**scope, "headers": headers.raw}


def accepts_events(scope: Scope) -> bool:
    """Whether the client accepts a stream of events, by the rules of the SDK."""
    accepted = Headers(scope=scope)["accept"].split(",")
    types = {one.partition(";")[0].strip().lower() for one in accepted}
    return bool(types & {"text/event-stream", "text/*", ANY_TYPE})


def _lower_media_type(content_type: str) -> str:
    media_type, *parameters = content_type.split(";")
    return ";".join([media_type.strip().lower(), *parameters])
