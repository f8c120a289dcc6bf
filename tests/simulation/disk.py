"""A simulated disk below SQLite, with fault injection: kills, power cuts, a full disk, I/O errors.

SQLite, the code above it and the files in the folder are real. All simulated processes run in one
process of the operating system, one at a time. A connection and its journals belong to the
simulated process in whose context (`Process.running`) it is opened. Its locks end with that
process. This includes all locks of the product between processes, as each is a lock of SQLite.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.simulation import sqlite_vfs
from tests.simulation.disk_files import Names
from tests.simulation.plain_files import PlainFiles
from tests.simulation.shared_memory import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Call = Literal["read", "write", "truncate", "sync", "delete"]
_ERRORS = {
    "read": sqlite_vfs.IOERR_READ,
    "sync": sqlite_vfs.IOERR_FSYNC,
    "delete": sqlite_vfs.IOERR_DELETE,
}
_running: ContextVar[Process | None] = ContextVar("simulated process", default=None)


class Disk:
    """The disk below one folder. The files that are there at first are durable.

    The same seed and the same calls give the same bytes. Several disks, each with a folder of its
    own, may be in use at the same time.
    """

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.folder = f"{folder.resolve()}/"
        self.names = Names()
        self._plain_files = PlainFiles(self.folder, self.names)
        self.sleep: Callable[[float], None] = lambda _seconds: None
        """Called with the seconds that SQLite waits for the lock of another connection. By default
        no time passes."""
        self._random = random.Random(f"power {seed}")  # noqa: S311 (the same each time)
        self._sqlite_random = random.Random(f"sqlite {seed}")  # noqa: S311
        self._processes: dict[str, Process] = {}
        self._machine = Process(self, "")
        self._full: Literal["growing", "all"] | None = None
        self._faults: list[_Fault] = []
        self.watches_reads = False
        """Whether reads go through the disk, too: only while one is to fail, as that is slow."""
        sqlite_vfs.install(self)

    def close(self) -> None:
        """Kill all processes, and leave the folder as it is."""
        self._kill_all()
        sqlite_vfs.uninstall(self)
        self._plain_files.close()

    def process(self, name: str) -> Process:
        """The live process of this name; a new one if there is none."""
        process = self._processes.get(name)
        if process is None or not process.is_alive:
            process = self._processes[name] = Process(self, name)
        return process

    def owner(self) -> Process:
        """The process that runs now; outside of each, the machine, which only a power cut ends."""
        return _running.get() or self._machine

    def power_cut(self) -> None:
        """Kill all processes, and lose some of what was not synced."""
        self._kill_all()
        self._plain_files.cut(self._random)
        self.names.cut(self._random)
        self._faults.clear()
        self._machine = Process(self, "")

    def fill(self, *, all_writes: bool = False) -> None:
        """From now on writes that grow a file fail, as the disk is full; with `all_writes` all
        writes."""
        self._full = "all" if all_writes else "growing"

    def free(self) -> None:
        """Undo `fill`."""
        self._full = None

    def fail(self, call: Call, *, process: Process | None = None, after: int = 0) -> None:
        """Let one call of this process fail, once; None: of any process, but not of the machine.

        `after`: how many such calls succeed first.
        """
        self._faults.append(_Fault(call, process, after))
        self._watch_reads()

    def error(self, process: Process, call: Call, *, grows: bool) -> int:
        """SQLite's result code for a call that is about to be made: not 0 if it has to fail."""
        for fault in self._faults:
            is_hit = fault.process in (None, process) and process is not self._machine
            if fault.call == call and is_hit:
                fault.after -= 1
                if fault.after < 0:
                    self._faults.remove(fault)
                    self._watch_reads()
                    return _ERRORS.get(call, sqlite_vfs.IOERR_WRITE)
        if call == "write" and (self._full == "all" or (self._full and grows)):
            return sqlite_vfs.FULL
        return OK

    def random_bytes(self, number: int) -> bytes:
        """Bytes for SQLite's random numbers, such as those in the header of a journal."""
        return self._sqlite_random.randbytes(number)

    def _watch_reads(self) -> None:
        self.watches_reads = any(fault.call == "read" for fault in self._faults)
        for process in (self._machine, *self._processes.values()):
            for handle in process.handles:
                if process.is_alive:
                    handle.use(reads=self.watches_reads)

    def _kill_all(self) -> None:
        for process in (self._machine, *self._processes.values()):
            process.kill()


class Process:
    """A simulated process, as the disk knows it."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.changes = 0
        """The number of writes, truncates, syncs and deletes so far."""
        self.died: Callable[[], None] = lambda: None
        """Called once, when the process is killed, which may be within one of its calls."""
        self.handles: set[sqlite_vfs.Handle] = set()
        self._disk = disk
        self._last_change: int | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """What is opened within it, and in tasks that begin within it, is of this process."""
        before = _running.set(self)
        try:
            yield
        finally:
            _running.reset(before)

    def kill(self) -> None:
        """Kill it as SIGKILL does: its locks end, and no later call of its connections reaches the
        disk. They may be closed at any time."""
        if not self.is_alive:
            return
        self.is_alive = False
        for handle in self.handles:
            handle.drop()
        self.died()

    def kill_after(self, changes: int) -> None:
        """Kill it once it has made this many further writes, truncates, syncs and deletes, just
        before the next one."""
        self._last_change = self.changes + changes

    def before(self, call: Call, *, grows: bool = False) -> int:
        """Called before each call. Returns SQLite's result code: not 0 if the call has to fail."""
        if call != "read":
            if self.changes == self._last_change:
                self.kill()
                return sqlite_vfs.IOERR
            self.changes += 1
        return self._disk.error(self, call, grows=grows)


@dataclass
class _Fault:
    call: Call
    process: Process | None
    after: int
