"""The SQLite library that Python's `sqlite3` uses, and the C structures of its file system
(VFS)."""

from __future__ import annotations

import _sqlite3
import ctypes
from ctypes import Structure, c_char_p, c_int, c_int64, c_void_p
from typing import Any

FILE_FUNCTIONS = {
    "close": (c_void_p,),
    "read": (c_void_p, c_void_p, c_int, c_int64),
    "write": (c_void_p, c_void_p, c_int, c_int64),
    "truncate": (c_void_p, c_int64),
    "sync": (c_void_p, c_int),
    "file_size": (c_void_p, c_void_p),
    "lock": (c_void_p, c_int),
    "unlock": (c_void_p, c_int),
    "check_reserved_lock": (c_void_p, c_void_p),
    "file_control": (c_void_p, c_int, c_void_p),
    "sector_size": (c_void_p,),
    "device_characteristics": (c_void_p,),
    "shm_map": (c_void_p, c_int, c_int, c_int, c_void_p),
    "shm_lock": (c_void_p, c_int, c_int, c_int),
    "shm_barrier": (c_void_p,),
    "shm_unmap": (c_void_p, c_int),
    "fetch": (c_void_p, c_int64, c_int, c_void_p),
    "unfetch": (c_void_p, c_int64, c_void_p),
}
"""The functions of a file, in the order of `sqlite3_io_methods`, with their arguments."""


class FileTable(Structure):
    """`sqlite3_io_methods`: the functions of an open file."""

    _fields_ = (("version", c_int), *((name, c_void_p) for name in FILE_FUNCTIONS))


class FileSystem(Structure):
    """`sqlite3_vfs`: the functions of a file system."""

    _fields_ = (
        ("version", c_int),
        ("file_bytes", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
        *((name, c_void_p) for name in ("access", "full_path", "dl_open", "dl_error", "dl_sym")),
        *((name, c_void_p) for name in ("dl_close", "randomness", "sleep", "time", "last_error")),
        *((name, c_void_p) for name in ("time64", "set_call", "get_call", "next_call")),
    )


def _load() -> Any:
    # The module `_sqlite3` contains SQLite, or has loaded it as a shared library.
    library = ctypes.PyDLL(getattr(_sqlite3, "__file__", None))
    try:
        library.sqlite3_vfs_find.restype = ctypes.POINTER(FileSystem)
        library.sqlite3_filename_journal.restype = c_void_p
        library.sqlite3_filename_wal.restype = c_void_p
        library.sqlite3_vfs_register.argtypes = c_void_p, c_int
        for name in ("journal", "wal"):
            getattr(library, f"sqlite3_filename_{name}").argtypes = (c_void_p,)
    except AttributeError as error:
        raise RuntimeError(
            "The simulation needs a Python whose sqlite3 module shows the functions of SQLite 3.31 "
            "or later, as the Pythons of Debian, of pyenv and of python.org do."
        ) from error
    return library


library = _load()
native: FileSystem = library.sqlite3_vfs_find(None).contents
