"""The tests reach nothing outside the machine."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

import tasks
from tests.support import network_guard

ELSEWHERE = ("203.0.113.1", 80)
"""An address that RFC 5737 reserves for documentation."""
CONNECT = f"import socket; socket.create_connection({ELSEWHERE}, timeout=5)"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_test_that_reaches_out_is_refused_and_fails(kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as reaching, pytest.raises(OSError, match="reach out"):
        reaching.connect(ELSEWHERE)
    assert network_guard.attempts == [ELSEWHERE], "so it fails even if the code swallows the error"
    network_guard.attempts.clear()


def test_the_processes_that_tests_start_have_loopback_and_no_other_network() -> None:
    if not tasks.can_be_cut_off():
        pytest.skip("this system lets nobody make a network of their own")
    looped = "import socket; s = socket.create_server(('127.0.0.1', 0));"
    looped += "socket.create_connection(s.getsockname())"
    codes = [
        subprocess.run(
            tasks.cut_off([sys.executable, "-c", code]), check=False, capture_output=True
        )
        for code in (looped, CONNECT)
    ]
    assert [done.returncode for done in codes] == [0, 1]
    assert b"Network is unreachable" in codes[1].stderr
