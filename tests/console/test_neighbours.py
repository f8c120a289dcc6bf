"""Another user of the machine cannot use the link of a local console, however it connects."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from mcp_enrichment.console import neighbours
from mcp_enrichment.console.neighbours import is_of_this_user
from tests.cli.commands import Shell
from tests.console.visitor import HERE
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="no other system tells whose it is")
AS_ROOT = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can be two users"
)
NOBODY = 65534
NEIGHBOUR = f"""
import os, socket, sys
os.setgid({NOBODY}); os.setuid({NOBODY})
family = socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET
host = "::ffff:127.0.0.1" if sys.argv[1] == "6" else "127.0.0.1"
link, *headers = sys.argv[2:]
with socket.socket(family) as it:
    it.connect((host, int(link.split(":")[2].split("/")[0])))
    path = "/" + link.split("/", 3)[3]
    it.sendall("\\r\\n".join([f"GET {{path}} HTTP/1.1", "Host: x", *headers, "", ""]).encode())
    print(it.recv(10000).decode().splitlines()[0])
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@LINUX
def test_ones_own_connection_is_known_until_it_is_closed(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        taken, client = listener.accept()
        assert is_of_this_user(client, ("127.0.0.1", port))
        assert not is_of_this_user(client, ("127.0.0.1", port ^ 1))
    assert not is_of_this_user(client, ("127.0.0.1", port))
    taken.close()


@LINUX
def test_a_connection_that_is_half_closed_is_refused_on_a_system_without_ipv6(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(neighbours, "TABLES", [neighbours.TABLES[0], tmp_path / "none"])
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        taken, client = listener.accept()
        assert is_of_this_user(client, ("127.0.0.1", port))
        connection.shutdown(socket.SHUT_WR)  # it still reads
        assert not is_of_this_user(client, ("127.0.0.1", port))
        taken.close()


def test_where_the_system_does_not_tell_the_link_alone_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(neighbours, "TABLES", [tmp_path / "none"])
    assert is_of_this_user(("127.0.0.1", 1), ("127.0.0.1", 2))


@LINUX
@AS_ROOT
def test_a_neighbour_who_has_read_the_link_is_refused_and_does_not_use_it_up(
    tmp_path: Path,
) -> None:
    process = Shell(tmp_path).start("console", "--no-browser")
    try:
        assert process.stdout
        link = process.stdout.readline().strip()
        with httpx.Client(timeout=HANG, headers=HERE, follow_redirects=True) as http:
            stream = http.get(link.partition("?")[0]).extensions["network_stream"]
            mine = stream.get_extra_info("client_addr")
            for family in "46":
                for headers in ([], [f"X-Forwarded-For: 127.0.0.1:{mine[1]}"]):
                    refused = as_neighbour(family, link, *headers)
                    assert refused == "HTTP/1.1 403 Forbidden"
            assert "Go on" in http.get(link).text
            cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        console = link.partition("/open")[0]
        assert as_neighbour("4", console, f"Cookie: {cookie}") == "HTTP/1.1 403 Forbidden"
    finally:
        process.kill()
        process.communicate()


def as_neighbour(family: str, link: str, *headers: str) -> str:
    """The status line that another user of this machine gets."""
    command = [sys.executable, "-c", NEIGHBOUR, family, link, *headers]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
