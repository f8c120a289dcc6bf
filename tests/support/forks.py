"""Starts the package's programs without their imports: by a fork of a process that has done them.

Use `popen` and `open_process` as `subprocess.Popen` and `anyio.open_process`, or `by_fork`. A
command `[sys.executable, "-m", MODULE, ...]`, and `mcp-enrichment` of the same environment, then
starts in a tenth of the time. It is a process as any other: a child of this one, with its own pid,
environment, folder and files. Tests of the start itself use `subprocess`. So do `popen` and the
others for what a fork cannot do: options of the interpreter, other PYTHON* or LD_* variables,
another `preexec_fn` than `hear_ctrl_c`, the options of `Popen` that `PLAIN` lists, and systems
other than Linux.
"""

from __future__ import annotations

import atexit
import ctypes
import inspect
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anyio.abc import Process

ROOT = Path(__file__).parents[2]
ENVIRONMENT = dict(os.environ) | {"PYTHONUTF8": "1"}
"""Of the fork server, taken before a test changes it."""
SCRIPT = str(Path(sys.executable).with_name("mcp-enrichment"))
"""The command as it is installed beside this interpreter."""
READ_LATER = {"PYTHON_KEYRING_BACKEND"}
"""Variables that neither the interpreter nor an import of the package reads."""
PLAIN = {"pass_fds": (), "shell": False, "umask": -1, "start_new_session": False}
PLAIN |= {"process_group": -1, "uid": None, "gid": None, "gids": None}
"""The only values of these options of `Popen` that a fork serves."""
PR_SET_CHILD_SUBREAPER = 36

_forking = ContextVar("forking", default=False)
_one_at_a_time = Lock()
_spawn = subprocess.Popen._execute_child
_signature = inspect.signature(_spawn)


def popen(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a process."""
    with by_fork():
        return subprocess.Popen(command, **options)


async def open_process(command: Sequence[str], **options: Any) -> Process:
    """Start a process."""
    with by_fork():
        return await anyio.open_process(command, **options)


def hear_ctrl_c() -> None:
    """For `preexec_fn`: if the tests run in a shell's background, children would ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def by_fork() -> Iterator[None]:
    """In the block, `subprocess` and `anyio` start the package's programs by a fork."""
    token = _forking.set(True)
    try:
        yield
    finally:
        _forking.reset(token)


def _execute_child(process: Any, *arguments: Any) -> None:
    """Start the program that `Popen` describes. A test calls `Popen`, or asyncio does for it."""
    call = _signature.bind(process, *arguments).arguments
    if not (_forking.get() and _can_be_forked(call)):
        return _spawn(process, *arguments)
    process.pid = _fork(call)
    process._child_created = True
    pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
    process._close_pipe_fds(*(call[pipe] for pipe in pipes))
    return None


subprocess.Popen._execute_child = _execute_child


def _can_be_forked(call: dict[str, Any]) -> bool:
    return (
        sys.platform == "linux"
        and _program(call) is not None
        and call["preexec_fn"] in (None, hear_ctrl_c)
        and all(call[name] == value for name, value in PLAIN.items())
        and _of_interpreter(_environment(call)) == _of_interpreter(ENVIRONMENT)
    )


def _environment(call: dict[str, Any]) -> Mapping[str, str]:
    return os.environ if call["env"] is None else call["env"]


def _program(call: dict[str, Any]) -> dict[str, Any] | None:
    """The module or the script that a command runs, with its arguments; None for others."""
    if isinstance(call["args"], str | bytes | os.PathLike):
        return None
    first, *others = (os.fspath(argument) for argument in call["args"])
    if first == sys.executable and others[:1] == ["-m"]:
        return {"module": others[1], "script": None, "arguments": others[2:]}
    if shutil.which(first, path=_environment(call).get("PATH")) == SCRIPT:
        return {"module": None, "script": SCRIPT, "arguments": others}
    return None


def _of_interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    named = {name: of for name, of in environment.items() if name.startswith(("PYTHON", "LD_"))}
    return {"PYTHONUTF8": "1"} | {name: of for name, of in named.items() if name not in READ_LATER}


def _fork(call: dict[str, Any]) -> int:
    """The process id of the new process, whose parent is this one."""
    program = {
        **(_program(call) or {}),
        "environment": dict(_environment(call)),
        "folder": os.fspath(call["cwd"] or os.getcwd()),
    }
    files = [call[pipe] for pipe in ("p2cread", "c2pwrite", "errwrite")]
    files = [number if file == -1 else file for number, file in enumerate(files)]
    with _one_at_a_time, _adopting():
        socket.send_fds(_server(), [json.dumps(program).encode()], files)
        return int(_server().recv(20))


@contextmanager
def _adopting() -> Iterator[None]:
    """In the block, orphans among this process's descendants become its children."""
    _adopt(1)
    try:
        yield
    finally:
        _adopt(0)


def _adopt(whether: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, whether, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


@cache
def _server() -> socket.socket:
    """The socket of this process's fork server, which ends with this process."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.support.fork_server", str(its.fileno())]
    with its:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=ENVIRONMENT,
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours
