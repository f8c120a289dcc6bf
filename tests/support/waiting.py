"""Waiting for a process to be ready."""

from __future__ import annotations

import socket
import time

HANG = 120.0
"""Seconds after which a test counts as hung. It measures no speed: on a busy machine everything
still ends long before."""


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
