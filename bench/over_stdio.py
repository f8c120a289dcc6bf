"""A server in its own process, and a loop that calls it over its stdin and stdout."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.load import Figures, Run, figures_of
from bench.processes import megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.contenders import Contender

CHUNK = 1 << 18
PROTOCOL = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def as_line(number: int, method: str, meta: dict[str, Any] | None = None, **params: Any) -> bytes:
    """A request of the version without a handshake. `meta`: further members of its `_meta`."""
    params |= {"_meta": PROTOCOL | (meta or {})}
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(request).encode() + b"\n"


@dataclass
class OverStdio:
    """A running server, and its calls in flight."""

    process: subprocess.Popen[bytes]
    _last_id: int = 0
    _unread: bytes = b""
    _sent: dict[int, float] = field(default_factory=dict)
    _taken: list[float] = field(default_factory=list)

    def list_tools(self) -> None:
        """Request the tools, and wait for the answer."""
        self._send(self._request("tools/list"))
        while self._sent:
            self._receive()

    def load(self, concurrency: int, seconds: float) -> Figures:
        """Call `get_credits` repeatedly, with this many calls in flight."""
        self._taken.clear()
        began = time.perf_counter()
        until = began + seconds
        self._send(b"".join(self._call() for _ in range(concurrency)))
        while self._sent:
            answered = self._receive()
            if time.perf_counter() < until:
                self._send(b"".join(self._call() for _ in range(answered)))
        return figures_of([Run(self._taken, time.perf_counter() - began)])

    def megabytes(self) -> float:
        """Resident memory of the process in MB."""
        return megabytes(self.process.pid)

    def _call(self) -> bytes:
        return self._request("tools/call", name="get_credits", arguments={})

    def _request(self, method: str, **params: Any) -> bytes:
        self._last_id += 1
        self._sent[self._last_id] = time.perf_counter()
        return as_line(self._last_id, method, **params)

    def _send(self, requests: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(requests)
        self.process.stdin.flush()

    def _receive(self) -> int:
        """Read the available output; return how many answers it held."""
        assert self.process.stdout
        chunk = os.read(self.process.stdout.fileno(), CHUNK)
        now = time.perf_counter()
        assert chunk, "the server has ended"
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            assert "result" in answer, line
            assert not answer["result"].get("isError"), line
            self._taken.append(now - self._sent.pop(answer["id"]))
        return len(lines)


@contextmanager
def over_stdio(one: Contender) -> Iterator[OverStdio]:
    """A running server of the comparison."""
    # Compiled code is kept, as in an installed package.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **one.settings}
    process = subprocess.Popen(one.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
    try:
        yield OverStdio(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(timeout=20)
