"""MCP over HTTP: the server as a process, the SDK's client over a socket."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import httpx
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.db.sqlite import open_sqlite
from tests.mcp.pipes import LEGACY, environment, modern
from tests.support.forks import popen
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.support.scripted_server import ScriptedServer

ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    root: str

    @property
    def url(self) -> str:
        return f"{self.root}/mcp"

    @property
    def port(self) -> int:
        return int(self.root.rpartition(":")[2])

    async def stderr(self) -> str:
        """Its stderr after the first line, once it has ended."""
        return (await anyio.to_thread.run_sync(self._communicate))[1]

    def _communicate(self) -> tuple[str, str]:
        return self.process.communicate(timeout=HANG)


@contextmanager
def served(
    folder: Path, *options: str, module: str = "mcp_enrichment", **settings: str
) -> Iterator[Served]:
    """The server on a free port of loopback, with these settings."""
    command = [sys.executable, "-m", module, "serve", "--http", "--port", "0", *options]
    with popen(
        command,
        env=environment(folder, **settings),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            said = re.search(r"Serving MCP on (http://\S+:[0-9]+)/mcp", line)
            assert said, line
            yield Served(process, said[1])
        finally:
            process.kill()


@asynccontextmanager
async def talking(
    url: str, era: str, key: str | None = None, *, auth: httpx2.Auth | None = None, **options: Any
) -> AsyncIterator[Client]:
    """The SDK's client of a server, with one protocol version, with a credential or without.

    `options`: further ones of the client.
    """
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, auth=auth, timeout=HANG) as http,
        Client(streamable_http_client(url, http_client=http), mode=era, **options) as client,
    ):
        yield client


def key_of(folder: Path, team: str, *, credits: int = 250) -> str:  # noqa: A002
    """A new key of a team, which is added if no team has that name."""

    def make(connection: Any) -> str:
        if teams.id_of(connection, team) is None:
            teams.add(connection, team, credits, at=0)
        return api_keys.create(connection, team, at=0).key

    with closing(open_sqlite(folder / "data" / "enrichment.db")) as database:
        return database.write_now(make)


def call(era: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with which `httpx` POSTs one tool call: body and headers."""
    named = {"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}}
    params = named if era == "legacy" else _modern(named)
    version = LEGACY if era == "legacy" else "2026-07-28"
    headers = ACCEPT | {"mcp-protocol-version": version}
    if era != "legacy":
        headers |= {"mcp-method": "tools/call", "mcp-name": tool}
    return {
        "json": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        "headers": headers,
    }


async def push(vendor: ScriptedServer, body: bytes = b"{}", **headers: str) -> httpx.Response:
    """Send the vendor's webhook to the callback URL of the last POST."""
    async with httpx.AsyncClient(timeout=HANG) as http:
        address = vendor.posts[-1].json["callback_url"]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await http.post(address, content=body, headers=named)


def _modern(named: dict[str, Any]) -> dict[str, Any]:
    params = modern(**named)
    params["_meta"]["progressToken"] = 1
    return params


@dataclass
class Site:
    """Two servers behind a load balancer: `root` is their public URL."""

    faces: list[Served]
    root: str

    @property
    def url(self) -> str:
        return f"{self.root}/mcp"


@asynccontextmanager
async def balanced(
    folder: Path, *, prefix: str = "", how: str = "keep", **settings: str
) -> AsyncIterator[Site]:
    """Two processes with the same folders, which take turns. `how`: the load balancer may `keep`
    the prefix of the public path, or `strip` it."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        root = f"http://127.0.0.1:{listening.getsockname()[1]}{prefix}"
        known = {"PUBLIC_URL": root} | settings
        faces = [stack.enter_context(served(folder, **known)) for _ in range(2)]
        stack.enter_context(_balancer(listening, prefix, how, faces))
        yield Site(faces, root)


@contextmanager
def _balancer(
    listening: socket.socket, prefix: str, how: str, faces: list[Served]
) -> Iterator[None]:
    ports = [str(face.port) for face in faces]
    inherited = listening.fileno()
    command = [
        sys.executable,
        "-m",
        "tests.support.load_balancer",
        str(inherited),
        prefix,
        how,
        *ports,
    ]
    with subprocess.Popen(command, pass_fds=[inherited]) as process:
        try:
            yield
        finally:
            process.kill()
