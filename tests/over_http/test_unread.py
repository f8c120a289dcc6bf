"""If clients over HTTP do not read their responses, no other client waits for them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.mcp.pipes import environment
from tests.over_http.served import call, served
from tests.support.forks import popen
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = 500
"""Each writes more than two hundred bytes of log: together more than a pipe holds."""


def refuses_invalid_http(url: httpx.URL) -> bool:
    """Send what is no HTTP; the server logs a line for each."""
    with socket.create_connection((url.host, url.port), HANG) as connection:
        connection.sendall(b"no HTTP\r\n\r\n")
        return b" 400 " in connection.makefile("rb").readline()


def test_a_stream_that_its_client_never_reads_holds_up_nobody_else(
    tmp_path: Path, era: str
) -> None:
    with served(tmp_path, HTTP_OPEN="true") as face:
        wait = call(era, "wait_for_enrichment", {"ids": ["0" * 24] * 100, "timeout_seconds": 50})
        body = json.dumps(wait["json"])
        headers = wait["headers"] | {"host": f"127.0.0.1:{face.port}"}
        headers |= {"content-length": str(len(body))}
        head = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        with socket.socket() as unread:
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            unread.connect(("127.0.0.1", face.port))
            asked = f"POST /mcp HTTP/1.1\r\n{head}\r\n{body}".encode()
            unread.sendall(asked * 20)
            other = httpx.post(face.url, **call(era, "get_credits", {}), timeout=HANG)
            assert other.is_success
            face.process.send_signal(signal.SIGTERM)
            assert face.process.wait(HANG) == 0


@pytest.mark.parametrize("command", [["serve", "--http"], ["service"]])
def test_a_stderr_that_nobody_reads_holds_up_no_answer_and_not_the_end(
    command: list[str], tmp_path: Path
) -> None:
    env = environment(tmp_path, HTTP_OPEN="true", LOG_LEVEL="DEBUG", RATE_LIMIT="1000000")
    started = [sys.executable, "-m", "mcp_enrichment", *command, "--port", "0"]
    with popen(started, bufsize=0, env=env, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr
            said = re.search(rb"http://[0-9.]+:[0-9]+", process.stderr.readline())
            assert said
            url = httpx.URL(said[0].decode())
            for _ in range(REQUESTS):
                assert refuses_invalid_http(url)
            with httpx.Client(base_url=url, timeout=HANG) as http:
                if command == ["service"]:
                    assert http.get("/health").is_success
                else:
                    assert http.post("/mcp", **call("legacy", "get_credits", {})).is_success
            process.send_signal(signal.SIGTERM)
            assert process.wait(HANG) == 0
            assert len(process.stderr.read()) > 60_000, "the pipe was full"
        finally:
            process.kill()
