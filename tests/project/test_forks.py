"""A program that the tests start by a fork runs as one that the interpreter starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.mcp.pipes import environment, request
from tests.support import forks
from tests.support.forks import by_fork, hear_ctrl_c, open_process, popen
from tests.support.fresh_copy import ROOT
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere none is forked")
STATE = [sys.executable, "-m", "tests.support.process_state"]
PROGRAM = [sys.executable, "-m", "mcp_enrichment"]


def _found() -> dict[str, Any]:
    done = subprocess.run(
        [*STATE, "a b", "ü"],
        cwd=ROOT,
        env=os.environ | {"PYTHONUTF8": "1", "ENRICHMENT_NAME": "ß\udcff"},
        input="a line\n",
        text=True,
        capture_output=True,
        check=True,
        preexec_fn=hear_ctrl_c,
    )
    assert done.stderr == "ended\n"
    return dict(json.loads(done.stdout))


def test_a_forked_program_finds_what_a_started_one_finds() -> None:
    started = _found()
    with by_fork():
        assert _found() == started


def test_a_variable_of_the_interpreter_is_obeyed() -> None:
    with by_fork():
        done = subprocess.run(
            STATE,
            cwd=ROOT,
            env=os.environ | {"PYTHONUTF8": "1", "PYTHONWARNINGS": "error"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
    assert json.loads(done.stdout)["warnings"] == ["error"]


def test_the_installed_command_finds_itself_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.path.dirname(forks.SCRIPT), prepend=os.pathsep)
    command = ["mcp-enrichment", "setup", "cursor", "--print"]
    started = subprocess.check_output(command)
    monkeypatch.setattr(forks, "_spawn", None)
    with by_fork():
        assert subprocess.check_output(command) == started
    assert forks.SCRIPT in started.decode()


def test_its_exit_code_and_what_it_says_are_its_own() -> None:
    with popen([*PROGRAM, "nothing"], stderr=subprocess.PIPE, text=True) as process:
        assert "No such command 'nothing'" in process.communicate(timeout=HANG)[1]
    assert process.returncode == 2


@pytest.mark.anyio
async def test_its_pid_is_its_own_so_that_it_can_be_killed(tmp_path: Path) -> None:
    async with await open_process(PROGRAM, env=environment(tmp_path)) as process:
        assert process.stdout
        assert process.stdin
        await process.stdin.send(request(1, "ping").encode() + b"\n")
        await process.stdout.receive()
        os.kill(process.pid, signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL


def test_an_orphan_of_another_program_does_not_become_a_child_of_the_tests() -> None:
    popen([*PROGRAM, "--version"], stdout=subprocess.DEVNULL).wait(HANG)
    orphan = int(subprocess.check_output(["sh", "-c", "sleep 60 >/dev/null & echo $!"]))  # noqa: S607
    try:
        with pytest.raises(ChildProcessError):
            os.waitpid(orphan, os.WNOHANG)
    finally:
        os.kill(orphan, signal.SIGKILL)
