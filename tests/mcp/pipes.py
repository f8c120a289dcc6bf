"""The server as a process with real pipes for stdin and stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.support.forks import open_process
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import Process

LEGACY, MODERN = "2025-11-25", "2026-07-28"
LONGEST_LINE = 1_000_000


@dataclass
class Piped:
    """A running server, and every line that it has written to stdout."""

    process: Process
    errors: Path
    lines: list[str] = field(default_factory=list)
    _last_id: int = 0

    def __post_init__(self) -> None:
        assert self.process.stdout
        self._out = BufferedByteReceiveStream(self.process.stdout)

    @property
    def requests_sent(self) -> int:
        """The number of requests that `ask` has sent."""
        return self._last_id

    async def send(self, line: str) -> None:
        assert self.process.stdin
        await self.process.stdin.send(line.encode() + b"\n")

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request: its `result`, or its `error`."""
        self._last_id += 1
        await self.send(request(self._last_id, method, params))
        with anyio.fail_after(HANG):
            while True:
                answer = json.loads(await self.line())
                if answer.get("id") == self._last_id:
                    return answer.get("result") or answer["error"]

    async def call(self, tool: str, **arguments: Any) -> Any:
        """The tool's answer, after the handshake."""
        answer = await self.ask("tools/call", {"name": tool, "arguments": arguments})
        return answer["structuredContent"]

    async def start_waiting(self) -> None:
        """Start a call that waits."""
        call = {"name": "wait_for_enrichment", "arguments": {"ids": ["abc"]}}
        await self.send(request("waiting", "tools/call", call))

    async def ends(self) -> int:
        """Close stdin; the exit code, once stdout has been read to its end."""
        assert self.process.stdin
        await self.process.stdin.aclose()
        return await self.ended()

    async def ended(self) -> int:
        """The exit code of a process that ends, once stdout has been read to its end."""
        with anyio.fail_after(HANG):
            try:
                while True:
                    await self.line()
            except anyio.IncompleteRead:
                return await self.process.wait()

    def stderr(self) -> str:
        return self.errors.read_text("utf-8")

    async def line(self) -> str:
        """The next line from stdout."""
        line = (await self._out.receive_until(b"\n", LONGEST_LINE)).decode()
        self.lines.append(line)
        return line


def request(its_id: Any, method: str, params: dict[str, Any] | None = None) -> str:
    """A request as a line of JSON."""
    return json.dumps({"jsonrpc": "2.0", "id": its_id, "method": method, "params": params or {}})


def handshake() -> dict[str, Any]:
    client = {"name": "test", "version": "1"}
    return {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client}


def modern(**params: Any) -> dict[str, Any]:
    """The parameters of a request without a handshake."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return params | {"_meta": meta}


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """An environment with these settings, and all files in this folder."""
    ours = {"DATA_DIR": str(folder / "data"), "STATE_DIR": str(folder / "state")} | settings
    return dict(os.environ) | {f"ENRICHMENT_{name}": value for name, value in ours.items()}


@asynccontextmanager
async def piped(
    folder: Path,
    *options: str,
    module: str = "mcp_enrichment",
    stdin: int = subprocess.PIPE,
    **settings: str,
) -> AsyncIterator[Piped]:
    """The server as a chat client starts it; `options` are the interpreter's."""
    errors = folder / "stderr.txt"
    with errors.open("wb") as stderr:
        command = [sys.executable, *options, "-m", module]
        env = environment(folder, **settings)
        async with await open_process(command, stdin=stdin, env=env, stderr=stderr) as process:
            try:
                yield Piped(process=process, errors=errors)
            finally:
                if process.returncode is None:
                    process.kill()
