"""A load balancer in front of several servers: each request goes to the next available one, in
turn.

`python -m tests.support.load_balancer SOCKET PREFIX STRIP PORT…` serves on an inherited socket.
With STRIP (`strip` or `keep`) it removes the prefix of the public path, as some proxies do.
"""

from __future__ import annotations

import itertools
import socket
import sys
from typing import TYPE_CHECKING

import httpx
import uvicorn
from starlette.responses import StreamingResponse

from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"content-length"}
"""Headers of one connection (RFC 9110, section 7.6.1), and the length, which is computed anew."""


def balancer(prefix: str, ports: list[int], *, strip: bool) -> ASGIApp:
    """The application; it passes the request's `Host` on unchanged."""
    turns = itertools.cycle(ports)
    client = httpx.AsyncClient(timeout=HANG, limits=httpx.Limits(max_keepalive_connections=0))

    async def sent(request: httpx.Request) -> httpx.Response:
        for _ in ports:
            request.url = request.url.copy_with(port=next(turns))
            try:
                return await client.send(request, stream=True)
            except httpx.ConnectError:
                continue
        return httpx.Response(502)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"].removeprefix(prefix) if strip else scope["path"]
        request = client.build_request(
            scope["method"],
            f"http://127.0.0.1:0{path}",
            headers=[header for header in scope["headers"] if header[0] not in HOP_BY_HOP],
            content=await _body(receive),
        )
        answer = await sent(request)
        response = StreamingResponse(_chunks(answer), answer.status_code)
        response.raw_headers = [
            (name.lower(), value)
            for name, value in answer.headers.raw
            if name.lower() not in HOP_BY_HOP
        ]
        await response(scope, receive, send)

    return app


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def main() -> None:
    """Serve until killed."""
    descriptor, prefix, strip, *ports = sys.argv[1:]
    app = balancer(prefix, [int(port) for port in ports], strip=strip == "strip")
    with socket.socket(fileno=int(descriptor)) as listening:
        config = uvicorn.Config(app, log_level="error", lifespan="off")
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
