"""Servers as processes of their own, on free ports of loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Listening(NamedTuple):
    """A process that listens."""

    port: int
    pid: int


@contextmanager
def process(command: Sequence[str], settings: dict[str, str] | None = None) -> Iterator[int]:
    """Python with these arguments and a port behind them; the port, once something listens."""
    with listening(command, settings) as started:
        yield started.port


@contextmanager
def listening(
    command: Sequence[str], settings: dict[str, str] | None = None
) -> Iterator[Listening]:
    """The same, known by its process too."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    running = subprocess.Popen(
        [sys.executable, *command, str(port)],
        env={**os.environ, **(settings or {})},
        stderr=subprocess.DEVNULL,
    )
    try:
        until_listening(port)
        yield Listening(port, running.pid)
    finally:
        running.terminate()
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            running.kill()  # one that does not end is told of, and not left behind
            raise


def until_listening(port: int) -> None:
    """Return once it accepts connections."""
    for _ in range(2000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError("the server did not start")


def megabytes(pid: int) -> float:
    """Memory of the process that is in use now."""
    asked = ["ps", "-o", "rss=", "-p", str(pid)]
    return int(subprocess.run(asked, check=True, capture_output=True).stdout) / 1024


def cpu_seconds(pid: int) -> float:
    """Seconds for which the process has used a core; of Linux alone."""
    clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) returns, which Python does not have
    return time.clock_gettime(clock)
