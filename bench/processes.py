"""Servers in their own processes, on free ports of loopback."""

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
    """Start Python with these arguments and a port; yield the port once something listens there."""
    with listening(command, settings) as started:
        yield started.port


@contextmanager
def listening(
    command: Sequence[str], settings: dict[str, str] | None = None
) -> Iterator[Listening]:
    """The same, with its process."""
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
            running.kill()  # report a process that does not end, and leave none behind
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
    """Resident memory of the process in MB."""
    asked = ["ps", "-o", "rss=", "-p", str(pid)]
    return int(subprocess.run(asked, check=True, capture_output=True).stdout) / 1024


def cpu_seconds(pid: int) -> float:
    """Seconds for which the process has used a core; of Linux alone."""
    clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) returns, which Python does not have
    return time.clock_gettime(clock)
