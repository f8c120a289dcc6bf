"""A guard that refuses each connection of this process to an address that is not loopback."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
attempts: list[object] = []
"""Addresses that were refused, also if the caller swallowed the error."""


def block_outside_connections() -> None:
    """Refuse them from now on, for the rest of the process."""
    sys.addaudithook(_refuse_outside)


def _refuse_outside(event: str, arguments: tuple[Any, ...]) -> None:
    if event in CONNECTING and _is_outside(arguments[1]):
        attempts.append(arguments[1])
        raise OSError(errno.ENETUNREACH, "a test may not reach out of this machine")


def _is_outside(address: object) -> bool:
    if not isinstance(address, tuple):  # a path, or an already connected socket
        return False
    with suppress(ValueError):
        host = ip_address(address[0])
        return not (host.is_loopback or host.is_unspecified)
    return address[0] not in ("", "localhost")
