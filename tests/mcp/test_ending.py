"""The process ends when its client disconnects, and by a signal, whatever is in progress."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.mcp.faces import ADA
from tests.mcp.pipes import Piped, environment, handshake, piped, request
from tests.support.forks import popen
from tests.support.scripted_server import hangs, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.support.scripted_server import ReceivedRequest, ScriptedServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="has no such signals"),
]

STDIN_CLOSED = None
ENDINGS = pytest.mark.parametrize("ending", [STDIN_CLOSED, signal.SIGTERM, signal.SIGINT])
Ending = signal.Signals | None
STUCK = "tests.support.hanging_server"
MORE_THAN_FIT = 50
"""Answers of 9 kB that no pipe holds at once."""
FLOOD = 16 * 1024 * 1024
"""Bytes of requests, far more than the server may read from a client that does not read."""


async def end(server: Piped, ending: Ending) -> int:
    """End it in this way; return its exit code, once stdout has been read to its end."""
    if ending is STDIN_CLOSED:
        return await server.ends()
    server.process.send_signal(ending)
    return await server.ended()


def status_of(ending: Ending) -> int:
    """The exit code that the parent process sees."""
    return 0 if ending is STDIN_CLOSED else -ending


def of_database(folder: Path, query: str) -> Any:
    with closing(sqlite3.connect(folder / "data" / "enrichment.db")) as database:
        return database.execute(query).fetchone()[0]


@asynccontextmanager
async def silent_vendor() -> AsyncIterator[str]:
    """The URL of a vendor that accepts connections and never answers."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"


@ENDINGS
async def test_it_ends_without_a_word_in_the_middle_of_a_wait(
    ending: Ending, tmp_path: Path
) -> None:
    async with silent_vendor() as vendor, piped(tmp_path, API_URL=vendor) as server:
        await server.ask("initialize", handshake())
        await server.start_waiting()
        await server.ask("prompts/list")
        assert await end(server, ending) == status_of(ending)
        assert server.stderr() == ""


@ENDINGS
async def test_a_lookup_that_was_under_way_is_given_back_at_once_and_finished_by_the_next_process(
    ending: Ending, tmp_path: Path
) -> None:
    async with piped(tmp_path, module=STUCK) as server:
        await server.ask("initialize", handshake())
        asked = {"linkedin_url": ADA, "type": "work", "wait_seconds": 0}
        begun = await server.call("request_email_enrichment", **asked)
        with anyio.fail_after(HANG):
            while (await server.call("get_enrichment", id=begun["id"]))["status"] != "processing":
                await anyio.lowlevel.checkpoint()
        assert of_database(tmp_path, "SELECT count(lease_owner) FROM jobs") == 1
        assert await end(server, ending) == status_of(ending)
        assert server.stderr() == ""
    assert of_database(tmp_path, "SELECT count(*) FROM jobs") == 1
    assert of_database(tmp_path, "SELECT count(lease_owner) FROM jobs") == 0
    async with piped(tmp_path) as server:
        await server.ask("initialize", handshake())
        waited = await server.call("wait_for_enrichment", ids=[begun["id"]], timeout_seconds=50)
    assert [one["status"] for one in waited["enrichments"]] == ["not-found"]
    assert of_database(tmp_path, "SELECT count(*) FROM requests") == 1


@ENDINGS
async def test_an_answer_that_a_vendor_gives_in_a_moment_is_kept(
    ending: Ending, tmp_path: Path, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = anyio.Event()

    async def in_a_moment(stream: SocketStream, seen: ReceivedRequest) -> None:
        asked.set()
        await anyio.sleep(0.1)  # nothing shows that the process is about to end
        found = {"contact": {"email": "ada.okafor@okafor.example"}}
        await replies(200, found)(stream, seen)

    monkeypatch.setenv("END_SECONDS", str(HANG))
    vendor.will(in_a_moment)
    async with asking(vendor, tmp_path, monkeypatch) as server:
        with anyio.fail_after(HANG):
            await asked.wait()
        assert await end(server, ending) == status_of(ending)
        assert server.stderr() == ""
    assert of_database(tmp_path, "SELECT email FROM requests") == "ada.okafor@okafor.example"
    assert of_database(tmp_path, "SELECT cost FROM source_calls") == 1
    assert of_database(tmp_path, "SELECT count(*) FROM jobs") == 0


@ENDINGS
async def test_a_vendor_that_takes_longer_does_not_hold_up_the_end(
    ending: Ending, tmp_path: Path, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.will(hangs())
    async with asking(vendor, tmp_path, monkeypatch) as server:
        with anyio.fail_after(HANG):
            while not vendor.seen:
                await anyio.lowlevel.checkpoint()
        with anyio.fail_after(HANG):
            assert await end(server, ending) == status_of(ending)
        assert server.stderr() == ""
    assert of_database(tmp_path, "SELECT state FROM source_calls") == "requested"
    assert of_database(tmp_path, "SELECT count(lease_owner) FROM jobs") == 0


@asynccontextmanager
async def asking(
    vendor: ScriptedServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Piped]:
    """The server with a request for which it is calling a vendor."""
    monkeypatch.setenv("VENDORS_AT", vendor.url)
    settings = {"SOURCES": "findymail", "FINDYMAIL_API_KEY": "sk-test-1"}
    async with piped(
        folder, module="tests.support.program_with_local_vendors", **settings
    ) as server:
        await server.ask("initialize", handshake())
        asked = {"linkedin_url": ADA, "type": "work", "wait_seconds": 0}
        await server.call("request_email_enrichment", **asked)
        yield server


@ENDINGS
async def test_a_database_that_another_process_holds_does_not_hold_up_the_end(
    ending: Ending, tmp_path: Path
) -> None:
    async with piped(tmp_path) as server:
        await server.ask("initialize", handshake())
        await server.call("get_credits")
        with closing(sqlite3.connect(tmp_path / "data" / "enrichment.db")) as held:
            held.execute("BEGIN IMMEDIATE")
            assert await end(server, ending) == status_of(ending)
        assert server.stderr() == ""


@contextmanager
def started(folder: Path, module: str = "mcp_enrichment") -> Iterator[subprocess.Popen[bytes]]:
    """The server, once the SDK answers, with direct access to its pipes."""
    command = [sys.executable, "-m", module]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with popen(command, bufsize=0, env=environment(folder), **pipes) as process:
        try:
            assert process.stdin
            assert process.stdout
            for line in (request(1, "initialize", handshake()), request(0, "ping")):
                process.stdin.write(line.encode() + b"\n")
                process.stdout.readline()
            yield process
        finally:
            process.kill()


def bytes_taken(pipe: int) -> int:
    """The bytes of a flood of requests that the server reads before it reads none for a second."""
    os.set_blocking(pipe, False)
    padded = {"_meta": {"padding": "x" * 16_000}}
    line, taken = request(2, "tools/list", padded).encode() + b"\n", 0
    while taken < FLOOD and select.select([], [pipe], [], 1)[1]:
        taken += os.write(pipe, line[taken % len(line) :])
    return taken


@ENDINGS
def test_a_client_that_asks_and_does_not_read_is_held_back_and_does_not_hold_up_the_end(
    ending: Ending, tmp_path: Path
) -> None:
    with started(tmp_path) as process:
        assert process.stdin
        assert process.stderr
        assert bytes_taken(process.stdin.fileno()) < FLOOD, "it holds all of it in memory"
        if ending is STDIN_CLOSED:
            process.stdin.close()
        else:
            process.send_signal(ending)
        assert process.wait(HANG) == status_of(ending)
        assert process.stderr.read() == b""


def test_a_client_that_has_closed_stdout_ends_it_with_the_next_answer(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(request(2, "tools/list").encode() + b"\n")
        assert process.wait(HANG) == 0
        assert process.stderr.read() == b""


def test_a_client_that_reads_only_after_it_has_closed_stdin_still_gets_every_answer_whole(
    tmp_path: Path,
) -> None:
    with started(tmp_path, "tests.support.patient_server") as process:
        assert process.stdin
        assert process.stdout
        asked = "".join(request(number, "tools/list") + "\n" for number in range(MORE_THAN_FIT))
        process.stdin.write(asked.encode())
        process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        answers = [json.loads(line) for line in process.stdout.read().splitlines()]
        assert sorted(answer["id"] for answer in answers) == list(range(MORE_THAN_FIT))
        assert process.wait(HANG) == 0


@pytest.mark.parametrize("ending", [STDIN_CLOSED, signal.SIGINT])
async def test_at_a_terminal_it_ends_too_and_leaves_the_terminal_as_it_was(
    ending: Ending, tmp_path: Path
) -> None:
    keyboard, terminal = pty.openpty()
    async with piped(tmp_path, stdin=terminal) as server:
        os.write(keyboard, request(1, "initialize", handshake()).encode() + b"\n")
        await server.line()
        if ending is STDIN_CLOSED:
            os.write(keyboard, b"\x04")
        else:
            server.process.send_signal(ending)
        assert await server.ended() == status_of(ending)
        assert "Traceback" not in server.stderr()
    assert os.get_blocking(terminal)
    os.close(keyboard)
    os.close(terminal)
