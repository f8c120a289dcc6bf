"""Answers the first requests of a client while the rest of the server is imported.

A client gives a server a few seconds, and then goes on without its tools. On a busy machine the
imports take longer. So a thread reads stdin from the start, and answers what it can from the
record. The server then takes over: it processes all messages that the thread has read, and leaves
out the answers that the thread has given.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from contextlib import suppress
from typing import NamedTuple

from mcp_enrichment.mcp.stdio.fds import STDIN, STDOUT, are_pollable, not_blocking
from mcp_enrichment.mcp.stdio.recorded import RecordedAnswers

CHUNK = 64 * 1024
"""Bytes to read at once."""
MAX_READ = 256 * 1024
"""Bytes after which the thread reads no more: they wait in the pipe for the server."""


class Handover(NamedTuple):
    """The messages that the server takes over from the thread."""

    received: bytes = b""
    """The bytes that were read from stdin. A request that is answered already has an id of ours in
    place of its own."""
    answered: frozenset[str] = frozenset()
    """The ids of ours."""
    unsent: bytes = b""
    """The part of the answers for which stdout had no room."""


class EarlyAnswers:
    """The thread. Stdin and stdout belong to it until `stop`."""

    def __init__(self) -> None:
        self._recorded = RecordedAnswers()
        self._received, self._partial_line, self._unsent = bytearray(), b"", bytearray()
        self._answered: set[str] = set()
        self._id_prefix = f"answered early {os.urandom(8).hex()}:"  # no client's own
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name="early answers", daemon=True)
        self._thread.start()

    def stop(self) -> Handover:
        """End the thread."""
        os.close(self._stop_writer)
        self._thread.join()
        os.close(self._stop_reader)
        received = bytes(self._received) + self._partial_line
        return Handover(received, frozenset(self._answered), bytes(self._unsent))

    def _run(self) -> None:
        # A broken pipe is left to the server, which ends then.
        with suppress(OSError):
            while self._exchange():
                pass

    def _exchange(self) -> bool:
        """Wait, then read or write once. Returns whether there is more to do."""
        held = len(self._received) + len(self._partial_line)
        reads = not self._recorded.has_ended and held <= MAX_READ
        if not (reads or self._unsent):
            return False
        ready = self._wait(reads=reads, writes=bool(self._unsent))
        if self._stop_reader in ready:
            return False
        if STDOUT in ready:
            self._write()
        return STDIN not in ready or self._read()

    def _wait(self, *, reads: bool, writes: bool) -> set[int]:
        """Wait until one of these is ready or broken, or `stop` is called."""
        poll = select.poll()  # `select.select` refuses descriptors above 1023
        poll.register(self._stop_reader, select.POLLIN)
        if reads:
            poll.register(STDIN, select.POLLIN)
        if writes:
            poll.register(STDOUT, select.POLLOUT)
        return {fd for fd, _ in poll.poll()}

    def _read(self) -> bool:
        """Read, and answer the complete lines. Returns whether stdin is still open."""
        chunk = os.read(STDIN, CHUNK)
        *lines, self._partial_line = (self._partial_line + chunk).split(b"\n")
        for line in lines:
            self._received += self._answer(line) + b"\n"
        return bool(chunk)

    def _answer(self, line: bytes) -> bytes:
        """Answer the message if its answer is recorded. Returns it as the server processes it."""
        answer = self._recorded.answer(line)
        if answer is None:
            return line
        message, response = answer
        self._unsent += response
        self._write()
        # The server's answer is known by this id, even if the client uses its own id again.
        message["id"] = f"{self._id_prefix} {len(self._answered)}"
        self._answered.add(message["id"])
        return json.dumps(message).encode()

    def _write(self) -> None:
        # Other processes may share the pipe, and a signal may end this one at any time. So the pipe
        # is non-blocking no longer than a write takes.
        with suppress(BlockingIOError), not_blocking(STDOUT):
            del self._unsent[: os.write(STDOUT, self._unsent)]


def answer_early() -> EarlyAnswers | None:
    """Start the thread; None if a server cannot wait for its pipes, and at a terminal.

    None also if the thread cannot start: the server then answers all requests.
    """
    if sys.stdin is None or sys.stdout is None or os.isatty(STDIN) or os.isatty(STDOUT):
        return None
    try:
        return EarlyAnswers() if are_pollable() else None
    except (OSError, ValueError, RuntimeError):  # its record, its pipe or its thread
        return None
