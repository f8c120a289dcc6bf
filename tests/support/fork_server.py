"""The process behind `tests.support.forks`: it has imported the package, and forks into programs.

Run it with `python -m tests.support.fork_server FD`. Each message on the socket FD names a module
or a script, its arguments, environment and folder, and carries its stdin, stdout and stderr. The
reply is the process id of the program. The server ends when the socket is closed.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import mcp_enrichment

if TYPE_CHECKING:
    from types import ModuleType

LONGEST = 1 << 17
"""Bytes of a message."""
NOT_IMPORTED = ("__main__", "migrations.env", "migrations.versions")
"""Modules that act when they are imported."""
IMPORTED_LATER = (
    *("alembic.command", "alembic.runtime.environment"),
    *("anyio._backends._asyncio", "jsonschema", "keyring.core", "keyring.backends.null"),
)
"""Libraries that most programs import once they need them. keyring may not be installed."""


def import_all() -> None:
    """Import every module of the package, with the libraries that they import."""
    own = set(sys.modules)
    libraries: dict[str, ModuleType] = {}
    atexit.register(forget, libraries)  # what is registered first is called last
    for module in pkgutil.walk_packages(mcp_enrichment.__path__, "mcp_enrichment."):
        if not any(name in module.name for name in NOT_IMPORTED):
            importlib.import_module(module.name)
    for name in IMPORTED_LATER:
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)
    libraries.update(
        (name, module)
        for name, module in sys.modules.items()
        if name not in own and name.partition(".")[0] != mcp_enrichment.__name__
    )
    gc.freeze()  # no child writes to these objects to collect garbage, so none copies them


def forget(libraries: dict[str, ModuleType]) -> None:
    """Let the interpreter end without clearing these modules, which would copy all their memory.

    It still waits for threads, closes files, and clears all that the program itself made.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(libraries))  # nothing frees them now
    for name in libraries:
        sys.modules.pop(name, None)


def next_program(calls: socket.socket) -> dict[str, Any] | None:
    """Serve the socket. Return in each child what it is to run; in the server, None at the end."""
    while True:
        message, files, *_ = socket.recv_fds(calls, LONGEST, 3)
        if not message:
            return None
        ours, its = socket.socketpair()
        with ours, its:
            if not (middle := os.fork()):
                if child := os.fork():
                    # As this process ends, the kernel gives the child to the process of the tests.
                    its.send(b"%d" % child)
                    os._exit(0)
                its.recv(1)
                return dict(json.loads(message)) | {"files": files}
            os.waitpid(middle, 0)
            calls.send(ours.recv(20))
            ours.send(b"!")  # the child has its parent, and may begin
        for file in files:
            os.close(file)


def become(program: dict[str, Any]) -> None:
    """Take over what a new interpreter would have found."""
    for number, file in enumerate(program["files"]):
        os.dup2(file, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, reopened(number, getattr(sys, name)))
    os.environ.clear()
    os.environ.update(program["environment"])
    time.tzset()
    os.chdir(program["folder"])
    sys.path[0] = os.path.dirname(program["script"]) if program["script"] else os.getcwd()
    sys.argv[1:] = program["arguments"]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def reopened(number: int, like: Any) -> io.TextIOWrapper:
    """A new stream for the file that now has this number, with no content of the old one."""
    buffering = 0 if isinstance(like.buffer, io.RawIOBase) else -1
    stream = io.TextIOWrapper(
        open(number, f"{like.mode}b", buffering, closefd=False),  # noqa: SIM115
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=like.line_buffering or os.isatty(number),
        write_through=like.write_through,
    )
    stream.mode = like.mode
    return stream


def main() -> None:
    import_all()
    with socket.socket(fileno=int(sys.argv[1])) as calls:
        program = next_program(calls)
    if program:
        become(program)
        if program["script"]:
            sys.argv[0] = program["script"]
            runpy.run_path(program["script"], run_name="__main__")
        else:
            runpy.run_module(program["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
