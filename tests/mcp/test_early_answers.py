"""The first answers of the process, before it has imported the SDK."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.mcp.stdio import early, recorded
from mcp_enrichment.mcp.stdio.early import MAX_READ
from tests.mcp.pipes import environment, handshake, modern, request
from tests.support.running_service import until
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes cannot be watched there")

INITIALIZED = '{"jsonrpc": "2.0", "method": "notifications/initialized"}'
OPENINGS = {
    "handshake": [request(1, "initialize", handshake()), INITIALIZED, request(2, "tools/list")],
    "modern": [request(1, "server/discover", modern()), request(2, "tools/list", modern())],
}
CALLS = {
    "handshake": {"name": "get_credits", "arguments": {}},
    "modern": modern(name="get_credits", arguments={}),
}
ERAS = pytest.mark.parametrize("era", OPENINGS)
MORE_THAN_FIT = 50
"""Answers of 9 kB that no pipe holds at once."""
FLOOD = 4 * MAX_READ
"""Bytes, more than the thread reads and the pipe holds."""

WITH_MANY_DESCRIPTORS = """
import os, resource, runpy
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
while os.dup(2) < 1024:
    pass
runpy.run_module("tests.support.held_imports", run_name="__main__")
"""
"""A program whose next descriptors are higher than `select.select` takes."""


@dataclass
class Held:
    """A server whose import of the SDK is held."""

    process: subprocess.Popen[bytes]
    gate: Path

    def send(self, *lines: str) -> None:
        assert self.process.stdin
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())

    def answer(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def release(self) -> None:
        """Let the import of the SDK continue, which has begun or will begin."""
        self.gate.open("wb").close()

    def end(self) -> list[Any]:
        """Close stdin and wait for a proper end; the answers that had not been read."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        rest = [json.loads(line) for line in self.process.stdout.read().splitlines()]
        assert self.process.wait(HANG) == 0
        assert self.stderr() == b""
        return rest

    def stderr(self) -> bytes:
        assert self.process.stderr
        return self.process.stderr.read()


@contextmanager
def held(
    folder: Path,
    *,
    stdout: int = subprocess.PIPE,
    program: tuple[str, ...] = ("-m", "tests.support.held_imports"),
) -> Iterator[Held]:
    gate = folder / "gate"
    os.mkfifo(gate)
    command = [sys.executable, *program]
    pipes = {"stdin": subprocess.PIPE, "stdout": stdout, "stderr": subprocess.PIPE}
    env = environment(folder) | {"GATE": str(gate)}
    with subprocess.Popen(command, bufsize=0, env=env, **pipes) as process:
        try:
            yield Held(process, gate)
        finally:
            process.kill()


@ERAS
def test_the_tools_are_listed_before_the_sdk_is_imported_and_called_after(
    era: str, tmp_path: Path
) -> None:
    with held(tmp_path) as server:
        server.send(*OPENINGS[era], request("call", "tools/call", CALLS[era]))
        assert server.answer()["id"] == 1
        assert len(server.answer()["result"]["tools"]) == 5
        server.release()
        called = server.answer()
        assert called["id"] == "call"
        assert called["result"]["structuredContent"]["balance"] == 250
        assert server.end() == []


@ERAS
def test_a_request_that_the_sdk_must_answer_holds_up_no_other(era: str, tmp_path: Path) -> None:
    first, *others = OPENINGS[era]
    params = modern() if era == "modern" else {}
    with held(tmp_path) as server:
        server.send(first, request("other", "prompts/list", params), *others)
        assert [server.answer()["id"] for _ in range(2)] == [1, 2]
        server.release()
        assert server.answer()["id"] == "other"
        assert server.end() == []


def test_the_sdk_answers_all_if_the_first_request_is_none_of_the_recorded(tmp_path: Path) -> None:
    with held(tmp_path) as server:
        server.send(request(0, "ping"), *OPENINGS["handshake"])
        server.release()
        assert [server.answer()["id"] for _ in range(3)] == [0, 1, 2]
        assert server.end() == []


def test_a_client_that_has_left_before_the_sdk_is_imported_gets_no_answer_twice(
    tmp_path: Path,
) -> None:
    with held(tmp_path) as server:
        server.send(*OPENINGS["handshake"])
        assert [server.answer()["id"] for _ in range(2)] == [1, 2]
        assert server.process.stdin
        server.process.stdin.close()
        server.release()
        assert server.end() == []


def test_a_client_that_uses_one_id_again_gets_each_answer(tmp_path: Path) -> None:
    with held(tmp_path) as server:
        server.send(request(1, "initialize", handshake()), INITIALIZED, request(1, "tools/list"))
        assert "serverInfo" in server.answer()["result"]
        assert "tools" in server.answer()["result"]
        server.send(request(1, "prompts/list"), request(1, "tools/list"))
        assert "tools" in server.answer()["result"]
        server.release()
        assert "prompts" in server.answer()["result"]
        assert server.end() == []


def test_a_client_cannot_guess_the_ids_of_the_early_answers(tmp_path: Path) -> None:
    guessed = [f"answered early: {number}" for number in range(2)]
    with held(tmp_path) as server:
        server.send(*OPENINGS["handshake"])
        assert [server.answer()["id"] for _ in range(2)] == [1, 2]
        server.send(*(request(one, "ping") for one in guessed))
        server.release()
        assert [answer["id"] for answer in server.end()] == guessed


def test_a_process_that_inherits_many_descriptors_answers_early(tmp_path: Path) -> None:
    with held(tmp_path, program=("-c", WITH_MANY_DESCRIPTORS)) as server:
        server.send(*OPENINGS["handshake"])
        assert [server.answer()["id"] for _ in range(2)] == [1, 2]
        server.release()
        assert server.end() == []


def test_without_the_record_the_server_answers_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "isatty", lambda _fd: False)
    monkeypatch.setattr(early, "are_pollable", lambda: True)
    monkeypatch.setattr(recorded, "FILE", str(tmp_path / "missing.json"))
    assert early.answer_early() is None


def test_answers_that_stdout_has_no_room_for_are_sent_once_it_has(tmp_path: Path) -> None:
    lists = [request(number, "tools/list") for number in range(MORE_THAN_FIT)]
    with held(tmp_path) as server:
        server.send(request("first", "initialize", handshake()), *lists)
        server.release()
        answers = [server.answer() for _ in range(MORE_THAN_FIT + 1)]
        assert [one["id"] for one in answers] == ["first", *range(MORE_THAN_FIT)]
        assert server.end() == []


@pytest.mark.parametrize("end", [b"\n", b""], ids=["many lines", "one line"])
def test_what_is_sent_meanwhile_is_not_all_held_in_memory(end: bytes, tmp_path: Path) -> None:
    with held(tmp_path) as server:
        server.send(request(1, "initialize", handshake()))
        server.answer()
        assert server.process.stdin
        pipe = server.process.stdin.fileno()
        os.set_blocking(pipe, False)
        padded = request("padded", "ping", {"padding": "x" * 1000}).encode() + end
        taken = 0
        while taken < FLOOD and select.select([], [pipe], [], 1)[1]:
            taken += os.write(pipe, padded[taken % len(padded) :])
        assert taken < FLOOD
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(HANG) == -signal.SIGTERM


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_without_a_word(by: signal.Signals, tmp_path: Path) -> None:
    with held(tmp_path) as server:
        server.send(*OPENINGS["handshake"])
        assert [server.answer()["id"] for _ in range(2)] == [1, 2]
        server.process.send_signal(by)
        assert server.process.wait(HANG) == -by
        assert server.stderr() == b""


@pytest.mark.anyio
async def test_a_signal_leaves_the_shared_pipe_of_stdout_blocking(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as answers, os.fdopen(write_end, "wb"):
        with held(tmp_path, stdout=write_end) as server:
            server.send(request(1, "initialize", handshake()))
            assert json.loads(answers.readline())["id"] == 1
            await until(lambda: os.get_blocking(write_end))
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(HANG) == -signal.SIGTERM
        assert os.get_blocking(write_end)


def test_a_client_that_has_closed_stdout_ends_it(tmp_path: Path) -> None:
    with held(tmp_path) as server:
        server.send(request(1, "initialize", handshake()))
        server.answer()
        assert server.process.stdout
        server.process.stdout.close()
        server.send(request(2, "tools/list"))
        server.release()
        assert server.process.wait(HANG) == 0
        assert server.stderr() == b""


def test_the_thread_needs_none_of_the_libraries() -> None:
    known = "import sys; import mcp_enrichment.mcp.stdio.early; print(*sys.modules)"
    command = [sys.executable, "-S", "-c", known]
    modules = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    others = {name.split(".")[0] for name in modules} - sys.stdlib_module_names
    assert others <= {"mcp_enrichment", "__main__", "__mp_main__"}
    assert "asyncio" not in modules
