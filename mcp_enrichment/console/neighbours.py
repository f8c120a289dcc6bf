"""Whose program is at the other end of a connection on this machine.

Every user of a machine reaches its loopback, and can read the arguments of a browser, with them the
link that opens the console. On Linux the kernel tells who has made a connection.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""The connections of this machine. A program may use an IPv6 socket for an IPv4 address."""
LOCAL, REMOTE, STATE, USER = 1, 2, 3, 7
"""Columns of these tables."""
ESTABLISHED = "01"
"""A connection that its program has closed is said to be root's."""


def is_of_this_user(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether this user, or root, has made the IPv4 connection from `client` to `server`.

    True where the system does not tell.
    """
    tables = _tables()
    return not tables or _user_of(tables, _encode(client), _encode(server)) in _allowed_users()


def _tables() -> list[str]:
    """The tables that this system has: one without IPv6 has the first only."""
    found = []
    for table in TABLES:
        with suppress(OSError):
            found.append(table.read_text("ascii"))
    return found


def _allowed_users() -> set[int]:
    """This user and root, who can read everything anyway; with sudo, who used it."""
    return {0, os.getuid(), int(os.environ.get("SUDO_UID", "0")) if os.getuid() == 0 else 0}


def _user_of(tables: Iterable[str], client: str, server: str) -> int | None:
    """The id of the user; None if there is no such connection."""
    for table in tables:
        for row in table.splitlines():
            cells = row.split()
            is_it = cells[LOCAL].endswith(client) and cells[REMOTE].endswith(server)
            if is_it and cells[STATE] == ESTABLISHED:
                return int(cells[USER])
    return None


def _encode(address: tuple[str, int]) -> str:
    """The end of an entry: the address as the bytes of a number of this machine, and the port."""
    host, port = address
    number = int.from_bytes(IPv4Address(host).packed, sys.byteorder)
    return f"{number:08X}:{port:04X}"
