"""The command for lists as a user runs it, against a service that a test scripts."""

from __future__ import annotations

import csv
import os
import re
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from tests.cli.commands import Done, Shell
from tests.support.waiting import HANG

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.list_service import ListService
    from tests.support.scripted_server import ScriptedServer


@dataclass(frozen=True)
class ListShell:
    """A user of the service, with a list in a file."""

    shell: Shell
    vendor: ScriptedServer
    service: ListService

    @property
    def list_file(self) -> Path:
        return self.shell.folder / "people.csv"

    @property
    def out(self) -> Path:
        return self.shell.folder / "found.csv"

    def write(self, *lines: str) -> None:
        """Write the list."""
        self.list_file.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="")

    def start(self, *options: str, **popen: Any) -> subprocess.Popen[str]:
        """Start the command for the list; `source` is another input."""
        source = popen.pop("source", str(self.list_file))
        return self.shell.start("enrich", source, *options, popen=popen, **self.settings)

    @property
    def settings(self) -> dict[str, str]:
        return {"API_URL": self.vendor.url, "API_KEY": "k-secret"}

    async def run(self, *options: str, **popen: Any) -> Done:
        """Run the command to its end, while the service answers."""
        return await ended(self.start(*options, **popen))

    async def saved(self, *options: str, **popen: Any) -> Done:
        """Run it without a question, with `out` as its output."""
        return await self.run("--yes", "--out", str(self.out), *options, **popen)

    def rows(self, path: Path | None = None) -> list[dict[str, str]]:
        """The rows of a CSV output."""
        with (path or self.out).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


async def ended(process: subprocess.Popen[str]) -> Done:
    """Wait for the end of a command."""
    communicate = partial(process.communicate, timeout=HANG)
    out, err = await anyio.to_thread.run_sync(communicate)
    return Done(process.returncode, out or "", err or "")


class Terminal:
    """A pseudo-terminal of some width, and all that was written to it."""

    def __init__(self, ours: int) -> None:
        self._ours = ours
        self.raw = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def read_until(self, text: str = "") -> str:
        """Read until the text was shown, or to the end; return all that was shown so far, without
        its control codes."""
        while not (text and text in self.shown):
            try:
                chunk = os.read(self._ours, 4096)
            except OSError:  # Linux's answer once no process has the other end
                break
            if not chunk:
                break
            self.raw += chunk.decode(errors="replace")
        return self.shown

    @property
    def shown(self) -> str:
        return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", self.raw)

    @property
    def bars(self) -> list[str]:
        """Each drawing of the bar."""
        return [part for part in re.split(r"[\r\n]+", self.shown) if "  missed " in part]


@contextmanager
def terminal(columns: int) -> Iterator[tuple[Terminal, IO[bytes]]]:
    """A terminal, and the end of it that a process gets; close that once it has it."""
    import fcntl
    import pty
    import struct
    import termios

    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with closing(os.fdopen(its, "r+b", buffering=0, closefd=True)) as end:
        yield Terminal(ours), end
    os.close(ours)
