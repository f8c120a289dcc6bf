"""The files of a simulated disk that Python writes without SQLite, such as key files.

Such a file is durable once `os.fsync` was called for it, and its name once `os.fsync` was called
for its folder. A power cut may truncate a file that is not durable, and remove a new name that is
not. A deletion counts as durable at once.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.simulation.disk_files import Names

_fsync = os.fsync
_watchers: list[PlainFiles] = []


def _synced(descriptor: int) -> None:
    _fsync(descriptor)
    for files in _watchers:
        files.synced(descriptor)


class PlainFiles:
    """The files below one folder. Those that are there at first are durable. It replaces
    `os.fsync`."""

    def __init__(self, folder: str, of_sqlite: Names) -> None:
        self._folder = folder
        self._of_sqlite = of_sqlite
        self._names: set[str] = set()
        self._versions: set[tuple[int, int, int]] = set()
        self.settle()
        _watchers.append(self)
        os.fsync = _synced

    def close(self) -> None:
        """Stop watching; the last one puts `os.fsync` back."""
        _watchers.remove(self)
        if not _watchers:
            os.fsync = _fsync

    def settle(self) -> None:
        """Count everything that is there as durable."""
        for path, found in self._walk():
            self._names.add(path)
            self._versions.add(_version(found))

    def synced(self, descriptor: int) -> None:
        """Record a call of `os.fsync`."""
        path, found = os.readlink(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            self._of_sqlite.synced(path)
            if f"{path}/".startswith(self._folder):
                self._names.update(entry.path for entry in os.scandir(path) if entry.is_file())
        else:
            self._of_sqlite.file_synced(path)
            self._versions.add(_version(found))

    def cut(self, random: Random) -> None:
        """Lose what is not durable."""
        for path, found in self._walk():
            if self._of_sqlite.has(path, found):
                continue
            if path not in self._names and random.random() < 0.5:
                os.unlink(path)
            elif _version(found) not in self._versions:
                os.truncate(path, random.choice((0, found.st_size // 2, found.st_size)))
        self._names.clear()
        self._versions.clear()
        self.settle()

    def _walk(self) -> Iterator[tuple[str, os.stat_result]]:
        for folder, _, names in sorted(os.walk(self._folder)):
            for name in sorted(names):
                path = os.path.join(folder, name)
                yield path, os.stat(path)


def _version(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns
