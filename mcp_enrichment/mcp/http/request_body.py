"""A request's body: read whole within bounds, looked at, and handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.mcp.http.http_error import HTTPError

if TYPE_CHECKING:
    from starlette.types import Message, Receive

MAX_BODY = 256 * 1024
"""Bytes; a hundred ids of the longest kind take a twentieth of it. An argument of 100 kB reaches
its tool, which refuses it by name."""
BODY_SECONDS = 10.0
"""For a body to arrive once its headers have."""


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises `Refused` where it is too long, or takes too long."""
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
    """A `receive` that gives the body once more, and then what comes after it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again
