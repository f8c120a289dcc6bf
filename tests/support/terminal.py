"""A pseudo-terminal in which a test runs a command."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def until_at_rest(process: int) -> None:
    """Return once the process sleeps. Python loses a Ctrl-C that comes just before a read."""
    stat = Path("/proc", str(process), "stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "S":
        time.sleep(0.01)


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


def own_the_terminal() -> None:
    """Let Ctrl-C in the terminal, which is stdin, reach this new process."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
