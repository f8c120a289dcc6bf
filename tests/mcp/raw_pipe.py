"""Writes any bytes to a running server and reads its output at the same time."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.mcp.pipes import environment, handshake, modern, request
from tests.support.forks import popen
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = 1 << 20
OPENING = {"legacy": ("initialize", handshake()), "modern": ("server/discover", modern())}
PROBE = {"legacy": ("ping", {}), "modern": ("server/discover", modern())}


@dataclass
class RawPipe:
    """A running server, used with or without a handshake."""

    process: subprocess.Popen[bytes]
    era: str
    errors: Path
    _probes: int = 0
    _unread: bytes = b""

    def open(self, junk: bytes = b"") -> list[Any]:
        """Send the junk, then the first request of the protocol; return all answers."""
        return self._exchange(junk + b"\n", "opening", *OPENING[self.era])

    def survives(self, junk: bytes) -> list[Any]:
        """The answers to the junk, before the answer to the probe that is sent after it.

        Fails if the probe gets no answer in time, or if a line of the output is not a message.
        """
        self._probes += 1
        return self._exchange(junk + b"\n", f"probe {self._probes}", *PROBE[self.era])

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The message that answers this request."""
        self._probes += 1
        its_id = f"asked {self._probes}"
        answers: list[dict[str, Any]] = self._exchange(b"", its_id, method, params)
        return next(answer for answer in answers if answer.get("id") == its_id)

    def kilobytes(self) -> int:
        """Resident memory of the process in KiB."""
        asked = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        return int(subprocess.run(asked, check=True, capture_output=True).stdout)

    def _exchange(self, junk: bytes, its_id: str, method: str, params: Any) -> list[Any]:
        unsent = memoryview(junk + request(its_id, method, params).encode() + b"\n")
        answers: list[Any] = []
        for readable in self._ready(HANG):
            if not readable:
                unsent = unsent[os.write(self._stdin, unsent) :] if unsent else unsent
                continue
            answers += self._received()
            if any(answer.get("id") == its_id for answer in answers):
                return answers
        raise AssertionError(f"no answer after {junk[:500]!r}")

    def _ready(self, seconds: float) -> Iterator[bool]:
        """Yield repeatedly whether stdout can be read (or else stdin written). Ends once stdout
        could not be read for this many seconds."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            selector.register(self._stdin, selectors.EVENT_WRITE)
            while time.monotonic() < deadline:
                for key, _ in selector.select(deadline - time.monotonic()):
                    yield key.fd == self._stdout
                    if key.fd == self._stdout:
                        deadline = time.monotonic() + seconds

    def _received(self) -> list[Any]:
        chunk = os.read(self._stdout, CHUNK)
        assert chunk, f"it has ended with {self.process.wait(HANG)}"
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        answers = [json.loads(line) for line in lines]
        assert all(answer["jsonrpc"] == "2.0" for answer in answers)
        return answers

    @property
    def _stdin(self) -> int:
        assert self.process.stdin
        return self.process.stdin.fileno()

    @property
    def _stdout(self) -> int:
        assert self.process.stdout
        return self.process.stdout.fileno()


@contextmanager
def raw_pipe(folder: Path, era: str) -> Iterator[RawPipe]:
    """A server for one kind of protocol version; it must exit with 0 when stdin is closed."""
    command, errors = [sys.executable, "-m", "mcp_enrichment"], folder / "stderr.txt"
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with (
        errors.open("wb") as stderr,
        popen(command, bufsize=0, stderr=stderr, env=environment(folder), **pipes) as process,
    ):
        try:
            pipe = RawPipe(process, era, errors)
            os.set_blocking(pipe._stdin, False)
            yield pipe
            assert process.stdin
            process.stdin.close()
            assert process.wait(HANG) == 0
        finally:
            process.kill()
