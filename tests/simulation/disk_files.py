"""The files of a simulated disk: which changes are durable, and which a power cut may lose.

A change of a file is durable once the file is synced. The creation or deletion of a name is durable
once its folder is synced. A power cut may lose any of a file's changes that are not durable, and
any sectors of the last one that it keeps. Of the names' changes it keeps the first ones, as a
journaling file system does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.shared_memory import SharedMemory

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from random import Random

SECTOR = 512
"""Bytes that a disk writes wholly or not at all."""

Change = tuple[int, bytes | None]
"""An offset, and the bytes written there; None: the file was truncated to that size."""


class File:
    """The bytes of one file, whatever its name is now."""

    def __init__(self, found: os.stat_result | None) -> None:
        """`found`: the state of an existing file; None for a new one, which is empty."""
        self.size = found.st_size if found else 0
        """Bytes, as the processes see it."""
        self.inode = found.st_ino if found else None
        """None if it is not known yet."""
        self.index = SharedMemory()
        """The index of its write-ahead log, if it is a database with one."""
        self._durable = None if found else bytearray()
        self._unsynced: list[Change] = []

    def keep(self, read: Callable[[], bytes]) -> None:
        """Keep the durable content. It must be called before each change; `read` returns the whole
        content."""
        if self._durable is None:
            self._durable = bytearray(read())

    def wrote(self, offset: int, data: bytes) -> None:
        """Record a write, which is not durable yet."""
        self._unsynced.append((offset, data))
        self.size = max(self.size, offset + len(data))

    def truncated(self, size: int) -> None:
        """Record a truncation, which is not durable yet."""
        self._unsynced.append((size, None))
        self.size = size

    def synced(self) -> None:
        """Record a sync: all changes are durable."""
        self._apply(self._unsynced)

    def cut(self, random: Random) -> bytes | None:
        """The content after a power cut; None if it is unchanged."""
        if self._unsynced:
            self._apply(_survivors(self._unsynced, random))
        content, self._durable = self._durable, None
        if content is None:
            return None
        self.size = len(content)
        return bytes(content)

    def _apply(self, changes: Iterable[Change]) -> None:
        content = self._durable
        for offset, data in changes:
            assert content is not None, "`keep` comes before a change"
            if data is None:
                del content[offset:]
                continue
            if offset > len(content):
                content.extend(bytes(offset - len(content)))
            content[offset : offset + len(data)] = data
        self._unsynced = []


def _survivors(changes: list[Change], random: Random) -> list[Change]:
    """The changes that a power cut keeps: none, all, the first ones, or any."""
    kind = random.choice(("none", "all", "first", "any"))
    if kind == "none":
        return []
    if kind == "all":
        return changes
    if kind == "any":
        changes = [change for change in changes if random.random() < 0.5]
    else:
        changes = changes[: random.randint(1, len(changes))]
    return [*changes[:-1], *_sectors(changes[-1], random)] if changes else []


def _sectors(change: Change, random: Random) -> list[Change]:
    """The parts of one write that reached the disk: each sector does so or not."""
    offset, data = change
    if data is None:
        return [change]
    parts, start = [], 0
    while start < len(data):
        end = min(len(data), start + SECTOR - (offset + start) % SECTOR)
        if random.random() < 0.5:
            parts.append((offset + start, data[start:end]))
        start = end
    return parts


class Names:
    """Which file each path refers to, now and on the disk."""

    def __init__(self) -> None:
        self._now: dict[str, File] = {}
        self._durable: dict[str, File] = {}
        self._unsynced: list[tuple[str, File | None]] = []

    def find(self, path: str, found: os.stat_result | None) -> File:
        """The file that is about to be opened or deleted. `found`: the state of what is at the
        path; None if that is nothing, so the file is new."""
        if found is None:
            file = File(None)
            self._change(path, file)
            return file
        known = self._now.get(path)
        if known and known.inode in (None, found.st_ino):
            known.inode = found.st_ino
            return known
        # Another library than SQLite has created it, which counts as durable.
        file = self._now[path] = self._durable[path] = File(found)
        return file

    def has(self, path: str, found: os.stat_result) -> bool:
        """Whether SQLite has opened this file, by this name or by an earlier one."""
        known = (*self._now.values(), *self._durable.values())
        return path in self._now or any(file.inode == found.st_ino for file in known)

    def deleted(self, path: str) -> None:
        """Record a deletion, which is not durable yet."""
        self._change(path, None)

    def file_synced(self, path: str) -> None:
        """Record a sync of the file at the path, if SQLite has opened it."""
        if path in self._now:
            self._now[path].synced()

    def synced(self, folder: str) -> None:
        """Record a sync of the folder: its names are durable."""
        left = []
        for path, file in self._unsynced:
            if str(Path(path).parent) == folder:
                _set(self._durable, path, file)
            else:
                left.append((path, file))
        self._unsynced = left

    def cut(self, random: Random) -> None:
        """Change the files to what a power cut leaves. No process may have one open."""
        for path in self._deleted_by_others():
            self._now.pop(path, None)
            self._durable.pop(path, None)
            self._unsynced = [change for change in self._unsynced if change[0] != path]
        if self._unsynced:
            for path, file in self._unsynced[: random.randint(0, len(self._unsynced))]:
                _set(self._durable, path, file)
        for path in self._now.keys() - self._durable.keys():
            Path(path).unlink()
        for path, file in self._durable.items():
            content = file.cut(random)
            if content is not None:
                Path(path).write_bytes(content)
        self._now, self._unsynced = dict(self._durable), []

    def _deleted_by_others(self) -> set[str]:
        """The paths that another library than SQLite has deleted, which counts as durable."""
        known = {*self._now, *self._durable, *(path for path, _ in self._unsynced)}
        gone = {path for path in known if not Path(path).parent.exists()}
        return gone | {path for path in self._now if not Path(path).exists()}

    def _change(self, path: str, file: File | None) -> None:
        _set(self._now, path, file)
        self._unsynced.append((path, file))


def _set(names: dict[str, File], path: str, file: File | None) -> None:
    if file is None:
        names.pop(path, None)
    else:
        names[path] = file
