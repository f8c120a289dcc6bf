"""A server in its own process, and a loop that calls it over keep-alive connections."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.load import Figures, Run, figures_of, post
from bench.over_stdio import as_line
from bench.processes import megabytes, until_listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.contenders import Contender

CHUNK = 1 << 18


def as_post(port: int, method: str, meta: dict[str, Any] | None = None, **params: Any) -> bytes:
    """A request of the protocol version without a handshake, with its headers. `meta`: further
    members of its `_meta`."""
    headers = {
        "host": f"127.0.0.1:{port}",
        "accept": "application/json, text/event-stream",
        "mcp_protocol_version": "2026-07-28",
        "mcp_method": method,
    } | ({"mcp_name": params["name"]} if "name" in params else {})
    return post("/mcp", as_line(1, method, meta, **params), **headers)


@dataclass
class OverHttp:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int

    def list_tools(self) -> None:
        """Request the tools, and wait for the answer."""
        with ExitStack() as stack:
            [connection] = self._connections(stack, 1)
            connection.sendall(as_post(self.port, "tools/list"))
            unread = b""
            while not is_whole(unread := unread + _received(connection)):
                pass

    def load(self, concurrency: int, seconds: float) -> Figures:
        """Call `get_credits` repeatedly, one call at a time on each of this many connections."""
        with ExitStack() as stack, selectors.DefaultSelector() as ready:
            for connection in self._connections(stack, concurrency):
                ready.register(connection, selectors.EVENT_READ)
            return figures_of([self._run(ready, seconds)])

    def megabytes(self) -> float:
        """Resident memory of the process in MB."""
        return megabytes(self.process.pid)

    def _connections(self, stack: ExitStack, how_many: int) -> list[socket.socket]:
        address = ("127.0.0.1", self.port)
        return [
            stack.enter_context(socket.create_connection(address, timeout=20))
            for _ in range(how_many)
        ]

    def _run(self, ready: selectors.BaseSelector, seconds: float) -> Run:
        call = as_post(self.port, "tools/call", name="get_credits", arguments={})
        sent: dict[Any, float] = {}
        unread: dict[Any, bytes] = {}
        taken: list[float] = []

        def send(connection: socket.socket) -> None:
            sent[connection], unread[connection] = time.perf_counter(), b""
            connection.sendall(call)

        began = time.perf_counter()
        for key in list(ready.get_map().values()):
            send(key.fileobj)  # type: ignore[arg-type]  # a socket, as it was registered
        while sent:
            for key, _ in ready.select():
                connection: Any = key.fileobj
                unread[connection] += _received(connection)
                if is_whole(unread[connection]):
                    assert b'"isError":true' not in unread[connection], unread[connection]
                    now = time.perf_counter()
                    taken.append(now - sent.pop(connection))
                    if now < began + seconds:
                        send(connection)
        return Run(taken, time.perf_counter() - began)


def _received(connection: socket.socket) -> bytes:
    chunk = connection.recv(CHUNK)
    assert chunk, "the server has closed the connection"
    return chunk


def is_whole(answer: bytes) -> bool:
    """Whether the answer is complete: a result, as JSON or as a stream with one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"content-length:" in lower:
        length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        whole = len(body) >= length
    else:
        whole = body.endswith(b"\r\n0\r\n\r\n")
    if whole:
        assert head.startswith(b"HTTP/1.1 200"), answer
        assert b'"result":' in body, answer
    return whole


@contextmanager
def over_http(one: Contender) -> Iterator[OverHttp]:
    """A server of the comparison, running and listening."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # Compiled code is kept, as in an installed package.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **one.settings}
    command = [*one.command, *one.http, str(port)]
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    try:
        until_listening(port)
        yield OverHttp(process, port)
    finally:
        process.terminate()
        process.wait(timeout=20)
