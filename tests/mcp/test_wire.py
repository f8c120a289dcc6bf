"""stdin and stdout carry protocol messages only; other output is kept off stdout."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest, JSONRPCResponse

from mcp_enrichment.mcp.jsonrpc import HEAD
from mcp_enrichment.mcp.stdio.early import Handover
from mcp_enrichment.mcp.stdio.streams import (
    MAX_LINE,
    MAX_OPEN_REQUESTS,
    LineBuffer,
    StdinReader,
    StdoutWriter,
    TooLong,
)
from tests.mcp.pipes import environment, handshake, modern, piped, request
from tests.support.forks import popen
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

MODULES = ("mcp_enrichment", "tests.support.sdk_stdio_server")
UNANSWERED = (
    b"",
    b"\r",
    b'{"jsonrpc": "2.0", "id": "j1", "result": {}}',
    b'{"jsonrpc": "2.0", "id": "j2", "error": {"code": 1, "message": "no"}}',
    b'{"jsonrpc": "2.0", "method": "notifications/unheard-of", "params": {}}',
    b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": [7]}}',
)
ANSWERED = (
    (b'{"jsonrpc": "2.0", "id": "%s", "method": "unheard-of"}', "wrong method"),
    (b'{"jsonrpc": "2.0", "id": "%s", "method": "tools/call", "params": {}}', "no name"),
    (b'{"jsonrpc": "2.0", "id": "%s", "method": "tools/list", "params": {"a": "\xff"}}', "bytes"),
)


def script(era: str) -> tuple[list[bytes], int]:
    """All kinds of messages that such a client may send, and the number of answers due."""
    legacy = era == "legacy"
    asked: list[tuple[str, dict[str, Any]]] = [
        ("initialize", handshake()) if legacy else ("server/discover", modern()),
        ("tools/list", {} if legacy else modern()),
        ("initialize", modern() | handshake()),
        ("tools/call", {"name": "get_credits"} | ({} if legacy else modern())),
        ("tools/call", {"name": "nobody"} | ({} if legacy else modern())),
        ("ping", {}),
    ]
    lines = [request(number, *call).encode() for number, call in enumerate(asked)]
    answered = [line.replace(b"%s", name.encode()) for line, name in ANSWERED]
    return [lines[0], *UNANSWERED, *lines[1:], *answered], len(lines) + len(answered)


def answers_of(module: str, folder: Path, lines: list[bytes], count: int) -> list[Any]:
    """The server's answers to these lines, in the order of the ids."""
    with started(module, folder) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"\n".join([*lines, b""]))
        answers = [json.loads(process.stdout.readline()) for _ in range(count)]
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(HANG) == 0
    return sorted(answers, key=lambda answer: str(answer["id"]))


@contextmanager
def started(module: str, folder: Path, **channels: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The server on these channels; on pipes by default."""
    folder.mkdir(exist_ok=True)
    given = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE) | channels
    command = [sys.executable, "-m", module]
    with popen(command, bufsize=0, env=environment(folder), **given) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_our_transport_answers_what_the_sdks_own_answers(era: str, tmp_path: Path) -> None:
    ours, the_sdks = (answers_of(module, tmp_path / module, *script(era)) for module in MODULES)
    assert ours == the_sdks


async def test_what_is_printed_anywhere_is_kept_off_the_wire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # buffered output is written at the end
    async with piped(tmp_path, module="tests.support.printing_server") as server:
        await server.ask("initialize", handshake())
        failed = await server.ask("tools/call", {"name": "get_credits", "arguments": {}})
        assert failed["isError"]
        assert await server.ends() == 0
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)
        told = server.stderr()
    for printed in ("before its child", "and flushed", "by a child", "below Python"):
        assert f"printed {printed}" in told
    assert "read ''" in told


@pytest.mark.skipif(sys.platform == "win32", reason="subprocesses take no sockets there")
@pytest.mark.parametrize("is_one", [False, True], ids=["a socket each", "one socket for both"])
def test_sockets_do_as_well_as_pipes(is_one: bool, tmp_path: Path) -> None:
    to_server, its_stdin = socket.socketpair()
    from_server, its_stdout = (to_server, its_stdin) if is_one else socket.socketpair()
    with (
        started("mcp_enrichment", tmp_path, stdin=its_stdin, stdout=its_stdout) as process,
        from_server.makefile("rb") as answers,
    ):
        its_stdin.close()
        its_stdout.close()
        to_server.sendall(request(1, "initialize", handshake()).encode() + b"\n")
        assert json.loads(answers.readline())["id"] == 1
        to_server.sendall(request(2, "tools/list").encode() + b"\n")
        assert json.loads(answers.readline())["id"] == 2
        to_server.shutdown(socket.SHUT_WR)
        assert answers.readline() == b""
        assert process.wait(HANG) == 0
    to_server.close()
    from_server.close()


@pytest.mark.parametrize("files", [("stdin",), ("stdout",), ("stdin", "stdout")])
def test_files_do_as_well_as_pipes(files: tuple[str, ...], tmp_path: Path) -> None:
    asked = request(1, "initialize", handshake()).encode() + b"\n"
    (tmp_path / "stdin").write_bytes(asked)
    with (tmp_path / "stdin").open("rb") as stdin, (tmp_path / "stdout").open("wb") as stdout:
        given = {"stdin": stdin, "stdout": stdout}
        channels = {name: given[name] for name in files}
        with started("mcp_enrichment", tmp_path, **channels) as process:
            said, _ = process.communicate(None if "stdin" in files else asked, timeout=HANG)
    assert process.returncode == 0
    answer = (tmp_path / "stdout").read_bytes() if "stdout" in files else said
    assert json.loads(answer)["id"] == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_where_there_is_no_wire_it_says_so(closed: str, tmp_path: Path) -> None:
    command = ["sh", "-c", f'exec "$0" -m mcp_enrichment {closed}', sys.executable]
    done = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "stdin or stdout is closed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_line_may_be_long_but_not_endless(caplog: pytest.LogCaptureFixture) -> None:
    lines = LineBuffer()
    for _ in range(MAX_LINE // 1024):
        lines.feed(b"x" * 1024)
    lines.feed(b"\nshort\n" + b"y" * 1024)
    assert lines.complete.popleft() == b"x" * MAX_LINE
    assert lines.complete.popleft() == b"short"
    for _ in range(2 * MAX_LINE // 1024):
        lines.feed(b"y" * 1024)
    assert len(lines._current) <= MAX_LINE, "a line that is too long is not kept"
    lines.feed(b"\nafter")
    assert lines.complete.popleft() == TooLong(head=b"y" * HEAD, tail=b"y" * HEAD)
    assert not lines.complete
    lines.end()
    assert lines.complete.popleft() == b"after"
    assert "was refused" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="pipes cannot be watched there")
async def test_no_more_is_read_while_too_many_requests_are_under_way() -> None:
    asked = [request(number, "ping").encode() + b"\n" for number in range(MAX_OPEN_REQUESTS + 1)]
    async with own_pipe() as (from_client, client), own_pipe() as (_, to_client):
        outgoing = StdoutWriter(to_client)
        incoming = StdinReader(from_client, outgoing)
        for one in asked[:-1]:
            os.write(client, one)
            await incoming.receive()
        os.write(client, asked[-1])
        with anyio.move_on_after(0.1) as held_back:
            await incoming.receive()
        assert held_back.cancelled_caught
        await outgoing.send(SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=0, result={})))
        last = (await incoming.receive()).message
        assert isinstance(last, JSONRPCRequest)
        assert last.id == MAX_OPEN_REQUESTS


@pytest.mark.skipif(sys.platform == "win32", reason="pipes cannot be watched there")
async def test_the_end_of_an_early_answer_is_sent_first_and_no_answer_twice() -> None:
    early = Handover(answered=frozenset({"early"}), unsent=b'swer"}\n')
    async with own_pipe() as (client, to_client), anyio.create_task_group() as tasks:
        outgoing = StdoutWriter(to_client, early)
        for its_id in ("early", "late"):
            outgoing.open_requests += 1
            response = JSONRPCResponse(jsonrpc="2.0", id=its_id, result={})
            await outgoing.send(SessionMessage(response))
        tasks.start_soon(outgoing.keep_writing)
        received = b""
        with anyio.fail_after(HANG):
            while received.count(b"\n") < 2:
                await anyio.wait_readable(client)
                received += os.read(client, 1000)
        tasks.cancel_scope.cancel()
        rest, answer = received.splitlines()
    assert rest == b'swer"}'
    assert json.loads(answer)["id"] == "late"


@asynccontextmanager
async def own_pipe() -> AsyncIterator[tuple[int, int]]:
    """A pipe whose writer does not block."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)
