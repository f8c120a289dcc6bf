"""Puts a simulated disk under the SQLite library that Python's `sqlite3` uses (Linux only).

It wraps SQLite's own file system (VFS). Below the folder of the disk, changes, deletions and shared
memory go through the disk. All other calls, such as locks and most reads, go to SQLite's own
functions. Files outside the folder are not affected.
"""

from __future__ import annotations

import atexit
import ctypes
import os
from ctypes import CFUNCTYPE, PYFUNCTYPE, addressof, c_int, c_void_p
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tests.simulation.shared_memory import OK, Attachment
from tests.simulation.sqlite_library import FILE_FUNCTIONS, FileSystem, FileTable, library, native

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.disk_files import File, Names

T = TypeVar("T")

FULL, CANTOPEN, NOTFOUND = 13, 14, 12
IOERR, IOERR_READ, IOERR_WRITE, IOERR_FSYNC = 10, 10 | 1 << 8, 10 | 3 << 8, 10 | 4 << 8
IOERR_DELETE, IOERR_NOENT = 10 | 10 << 8, 10 | 23 << 8
_CREATE, _MAIN_DATABASE, _JOURNALS = 0x4, 0x100, 0x800 | 0x4000 | 0x80000
_SAFE_OVERWRITES = 0x1000  # SQLITE_IOCAP_POWERSAFE_OVERWRITE, which SQLite claims on Linux
_SECTOR_SIZE = 4096


class Process(Protocol):
    """The owner of open files."""

    is_alive: bool
    handles: set[Handle]

    def before(self, call: str, *, grows: bool = False) -> int:
        """Called before each read, write, truncate, sync and delete. Returns SQLite's result code:
        if it is not OK, the call fails with it."""


class Disk(Protocol):
    """The simulated disk below one folder: it decides which calls fail, and keeps what is
    durable."""

    folder: str
    names: Names
    watches_reads: bool

    def owner(self) -> Process:
        """The process that runs now."""

    def sleep(self, seconds: float) -> None:
        """Called when SQLite waits this long for a lock."""

    def random_bytes(self, number: int) -> bytes:
        """Bytes for SQLite's random numbers."""


_native_open = PYFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)(native.open)
_native_delete = PYFUNCTYPE(c_int, c_void_p, c_void_p, c_int)(native.delete)
_native_randomness = PYFUNCTYPE(c_int, c_void_p, c_int, c_void_p)(native.randomness)
_native_sleep = CFUNCTYPE(c_int, c_void_p, c_int)(native.sleep)  # others run meanwhile

_disks: list[Disk] = []
_handles: dict[int, Handle] = {}
"""The open files by their addresses."""
_owners: dict[int, Process] = {}
"""The process that owns each journal, by the address of the journal's name. SQLite allocates that
name with the name of its database, and passes it on when it opens or deletes the journal."""


def install(disk: Disk) -> None:
    """Put the disk under its folder."""
    _disks.append(disk)
    library.sqlite3_vfs_register(addressof(_simulated), 1)
    library.sqlite3_randomness(0, None)  # it is seeded anew, from this disk


def uninstall(disk: Disk) -> None:
    """Let new connections use SQLite's own file system again."""
    _disks.remove(disk)
    if not _disks:
        library.sqlite3_vfs_register(addressof(native), 1)
    library.sqlite3_randomness(0, None)


def _disk_of(path: str) -> Disk | None:
    for disk in _disks:
        if path.startswith(disk.folder):
            return disk
    return None


class Handle:
    """An open file of one process."""

    def __init__(self, address: int, file: File, owner: Process, names: Names) -> None:
        self.file = file
        self.names = names
        self.owner = owner
        self.syncs_folder: str | None = None
        """A folder that SQLite syncs together with the file, the next time."""
        self.journals: tuple[int, ...] = ()
        """The addresses of the names of its journals, if it is a database."""
        self.index: Attachment | None = None
        self.address = address
        self._pointer = c_void_p.from_address(address)
        self.tables = _tables(self._pointer.value or 0)

    def use(self, *, reads: bool) -> None:
        """Route changes through the disk, and with `reads` also reads."""
        self._pointer.value = addressof(self.tables.with_reads if reads else self.tables.usual)

    def content(self) -> bytes:
        """All bytes of the file as they are now."""
        buffer = ctypes.create_string_buffer(self.file.size)
        self.tables.read(self.address, buffer, self.file.size, 0)
        return buffer.raw

    def drop(self) -> None:
        """End its locks, and let every later call fail: its process has died."""
        if self.index:
            self.index.orphan()
        self.tables.close(self.address)
        self._pointer.value = addressof(_DEAD)

    def abandon(self) -> None:
        """Let later calls do nothing, not even use this module: Python is ending."""
        self._pointer.value = addressof(_AT_EXIT)

    def forget(self) -> None:
        """Remove what is known of the file: it is closed."""
        if self.index:
            self.index.close()
        for name in self.journals:
            _owners.pop(name, None)
        _handles.pop(self.address)
        self.owner.handles.discard(self)


class _Tables:
    """The function tables of one kind of file: SQLite's own, and those that go through the disk."""

    def __init__(self, native: FileTable) -> None:
        for name in ("close", "read", "write", "truncate"):
            kind = PYFUNCTYPE(c_int, *FILE_FUNCTIONS[name])
            setattr(self, name, kind(getattr(native, name)))
        self.usual = _table(native, _THROUGH_DISK)
        self.with_reads = _table(self.usual, {"read": _read})

    close: Any
    read: Any
    write: Any
    truncate: Any


_known_tables: dict[int, _Tables] = {}


def _tables(native: int) -> _Tables:
    if native not in _known_tables:
        _known_tables[native] = _Tables(FileTable.from_address(native))
    return _known_tables[native]


def _table(base: FileTable, functions: dict[str, Any]) -> FileTable:
    table = FileTable.from_buffer_copy(base)
    for name, function in functions.items():
        kind = CFUNCTYPE(None if name == "shm_barrier" else c_int, *FILE_FUNCTIONS[name])
        setattr(table, name, _address(kind(function)))
    return _kept(table)


def _address(callback: Any) -> Any:
    return ctypes.cast(_kept(callback), c_void_p)


def _kept(value: T) -> T:
    """Never free the value: SQLite has its address until the process ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
    return value


def _close(address: int) -> int:
    handle = _handles[address]
    handle.forget()
    return int(handle.tables.close(address))


def _read(address: int, buffer: int, amount: int, offset: int) -> int:
    handle = _handles[address]
    return handle.owner.before("read") or handle.tables.read(address, buffer, amount, offset)


def _write(address: int, buffer: int, amount: int, offset: int) -> int:
    handle = _handles[address]
    file = handle.file
    if error := handle.owner.before("write", grows=offset + amount > file.size):
        return error
    file.keep(handle.content)
    error = handle.tables.write(address, buffer, amount, offset)
    if not error:
        file.wrote(offset, ctypes.string_at(buffer, amount))
    return int(error)


def _truncate(address: int, size: int) -> int:
    handle = _handles[address]
    if error := handle.owner.before("truncate"):
        return error
    handle.file.keep(handle.content)
    error = handle.tables.truncate(address, size)
    if not error:
        handle.file.truncated(size)
    return int(error)


def _sync(address: int, _flags: int) -> int:
    handle = _handles[address]
    if error := handle.owner.before("sync"):
        return error
    handle.file.synced()
    if handle.syncs_folder:
        handle.names.synced(handle.syncs_folder)
        handle.syncs_folder = None
    return OK


def _shm_map(address: int, number: int, size: int, extend: int, into: int) -> int:
    handle = _handles[address]
    if handle.index is None:
        handle.index = handle.file.index.attach()
    part = handle.index.map(number, size, extend=bool(extend))
    c_void_p.from_address(into).value = part
    return OK


def _shm_lock(address: int, first: int, number: int, flags: int) -> int:
    index = _handles[address].index
    assert index
    return index.lock(first, number, flags)


def _shm_unmap(address: int, _delete: int) -> int:
    handle = _handles[address]
    if handle.index:
        handle.index.close()
        handle.index = None
    return OK


_THROUGH_DISK = {
    "close": _close,
    "write": _write,
    "truncate": _truncate,
    "sync": _sync,
    "shm_map": _shm_map,
    "shm_lock": _shm_lock,
    "shm_barrier": lambda _address: None,
    "shm_unmap": _shm_unmap,
}


def _close_dead(address: int) -> int:
    _handles[address].forget()
    return OK


def _nothing_fetched(_address: int, _offset: int, _amount: int, into: int) -> int:
    c_void_p.from_address(into).value = None
    return OK


def _always(code: int) -> Callable[..., int]:
    return lambda *_: code


_DEAD = _table(
    FileTable(version=3),
    {
        **dict.fromkeys(FILE_FUNCTIONS, _always(IOERR)),
        "close": _close_dead,
        "unlock": _always(OK),
        "file_control": _always(NOTFOUND),
        "sector_size": _always(_SECTOR_SIZE),
        "device_characteristics": _always(_SAFE_OVERWRITES),
        "shm_barrier": lambda *_: None,
        "shm_unmap": _always(OK),
        "fetch": _nothing_fetched,
        "unfetch": _always(OK),
    },
)
_AT_EXIT = _table(_DEAD, {"close": _always(OK)})


@atexit.register
def _abandon() -> None:
    """Detach all files: Python closes the open connections after it has removed this module."""
    for handle in _handles.values():
        if handle.owner.is_alive:
            handle.drop()
        handle.abandon()


def _open(vfs: int, name: int | None, address: int, flags: int, out_flags: int) -> int:
    path = os.fsdecode(ctypes.string_at(name)) if name else ""
    disk = _disk_of(path)
    if disk is None or not name:
        return int(_native_open(vfs, name, address, flags, out_flags))
    owner = _owners.get(name) or disk.owner()
    if not owner.is_alive:
        c_void_p.from_address(address).value = None
        return CANTOPEN
    found = _found(path)
    error = _native_open(vfs, name, address, flags, out_flags)
    if error:
        return int(error)
    handle = Handle(address, disk.names.find(path, found), owner, disk.names)
    if flags & _CREATE and flags & _JOURNALS:
        handle.syncs_folder = os.path.dirname(path)
    if flags & _MAIN_DATABASE:
        journals = library.sqlite3_filename_journal(name), library.sqlite3_filename_wal(name)
        handle.journals = tuple(journals)
        _owners.update(dict.fromkeys(journals, owner))
    _handles[address] = handle
    owner.handles.add(handle)
    handle.use(reads=disk.watches_reads)
    return OK


def _found(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _delete(vfs: int, name: int, syncs_folder: int) -> int:
    path = os.fsdecode(ctypes.string_at(name))
    disk = _disk_of(path)
    if disk is None:
        return int(_native_delete(vfs, name, syncs_folder))
    owner = _owners.get(name) or disk.owner()
    if not owner.is_alive:
        return IOERR_DELETE
    found = _found(path)
    if found is None:
        return IOERR_NOENT
    if error := owner.before("delete"):
        return error
    disk.names.find(path, found).keep(lambda: _content(path))
    error = _native_delete(vfs, name, 0)
    if not error:
        disk.names.deleted(path)
        if syncs_folder:
            disk.names.synced(os.path.dirname(path))
    return int(error)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _randomness(vfs: int, number: int, into: int) -> int:
    if not _disks:
        return int(_native_randomness(vfs, number, into))
    ctypes.memmove(into, _disks[0].random_bytes(number), number)
    return number


def _sleep(vfs: int, microseconds: int) -> int:
    if not _disks:
        return int(_native_sleep(vfs, microseconds))
    _disks[0].sleep(microseconds / 1e6)
    return microseconds


def _simulated_vfs() -> FileSystem:
    vfs = FileSystem.from_buffer_copy(native)
    vfs.name = b"simulated-disk"
    functions = {
        "open": CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)(_open),
        "delete": CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)(_delete),
        "randomness": CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)(_randomness),
        "sleep": CFUNCTYPE(c_int, c_void_p, c_int)(_sleep),
    }
    for name, function in functions.items():
        setattr(vfs, name, _address(function))
    return _kept(vfs)


_simulated = _simulated_vfs()
