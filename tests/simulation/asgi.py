"""Passes a message of the simulated network to an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from tests.simulation.network import CUT, Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.simulation.network import Message


async def call(app: ASGIApp, message: Message, reply: Callable[[Answer], None]) -> None:
    """Call the application, and reply with its answer; cut the connection if it raises."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": message.method,
        "path": message.path,
        "raw_path": message.path.encode(),
        "query_string": message.query,
        "headers": [(n.lower().encode(), v.encode()) for n, v in message.headers.items()],
        "scheme": "https",
        "server": (message.host, 443),
        "client": ("10.9.9.9", 50_000),
        "root_path": "",
    }
    start: dict[str, Any] = {}
    body = bytearray()
    is_read = False

    async def receive() -> dict[str, Any]:
        nonlocal is_read
        if is_read:
            await anyio.sleep_forever()
        is_read = True
        return {"type": "http.request", "body": message.body, "more_body": False}

    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            start.update(event)
        else:
            body.extend(event.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:  # noqa: BLE001 (the server has logged it)
        reply(CUT if not start else _answer(start, body))
    else:
        reply(_answer(start, body))


def _answer(start: dict[str, Any], body: bytearray) -> Answer:
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, bytes(body))
