"""Waiting for a process to be ready, on a port that is free."""

from __future__ import annotations

import socket
import time

HANG = 120.0
"""Seconds after which a test counts as hung. It measures no speed: on a busy machine everything
still ends long before."""


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until_listening(port: int) -> None:
    """Return once something accepts connections on this port of loopback."""
    deadline = time.monotonic() + HANG
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
