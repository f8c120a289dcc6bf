"""If a client opens a pipe for stderr and never reads it, answers and the end are not delayed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcp_enrichment.cli.logs import MAX_QUEUED, LineQueue
from tests.mcp.pipes import environment, request
from tests.mcp.raw_pipe import RawPipe
from tests.support.forks import popen
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

CALLS = 3_000
PIPE = 64 * 1024
"""Capacity of a pipe in bytes."""


@contextmanager
def unread(folder: Path) -> Iterator[RawPipe]:
    """The server after its handshake; it logs as much as it can, and nobody reads the log."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    env = environment(folder, LOG_LEVEL="DEBUG")
    command = [sys.executable, "-m", "mcp_enrichment"]
    with popen(command, bufsize=0, env=env, **pipes) as process:
        try:
            assert process.stdin
            os.set_blocking(process.stdin.fileno(), False)
            pipe = RawPipe(process, "legacy", folder)
            pipe.open()
            yield pipe
        finally:
            process.kill()


def test_a_stderr_that_nobody_reads_holds_up_no_answer_and_not_the_end(tmp_path: Path) -> None:
    credits_ = {"name": "get_credits", "arguments": {}}
    calls = [request(number, "tools/call", credits_).encode() for number in range(CALLS)]
    malformed = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[7]}}'
    with unread(tmp_path) as pipe:
        answered: set[int] = set()
        junk = b"\n".join(calls + [malformed] * CALLS)
        while len(answered) < CALLS:  # calls run concurrently: the probe may overtake some
            answers = pipe.survives(junk)
            answered |= {one["id"] for one in answers if isinstance(one.get("id"), int)}
            junk = b""
        assert answered == set(range(CALLS))
        pipe.process.send_signal(signal.SIGTERM)
        assert pipe.process.wait(HANG) == -signal.SIGTERM
        assert pipe.process.stderr
        told = pipe.process.stderr.read()
        assert len(told) > PIPE - 4096, "the pipe was full"
        assert b"Traceback" not in told


def test_lines_that_are_dropped_are_counted_once_the_pipe_is_read_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x" * PIPE)
    queue, sent = LineQueue(writing), MAX_QUEUED + 10
    for _ in range(sent):
        queue.write(b"a line\n")
    assert not queue.drain(0.0), "the pipe is full"
    assert not caplog.records
    with os.fdopen(reading, "rb") as pipe, ThreadPoolExecutor() as reader:
        read = reader.submit(pipe.read)
        assert queue.drain(HANG)
        assert queue.drain(HANG), "the count of dropped lines has been written too"
        os.close(writing)
        dropped = sent - read.result().count(b"a line\n")
    [told] = caplog.messages
    assert dropped > 0
    assert told.startswith(f"{dropped} lines were dropped")
