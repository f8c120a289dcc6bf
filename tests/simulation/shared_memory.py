"""The index of a write-ahead log, in memory that simulated processes share.

SQLite keeps pointers into it. When a simulated process is killed, its pointers stay valid, but from
then on they lead to a private copy. So its connections can be closed later without an effect on
other processes.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from ctypes import c_int, c_int64, c_size_t, c_void_p

OK, BUSY = 0, 5
_UNLOCK, _SHARED = 1, 4
_FIXED = 0x10  # MAP_FIXED of Linux
_ACCESS = mmap.PROT_READ | mmap.PROT_WRITE

_libc = ctypes.PyDLL(None)
_mmap, _munmap = _libc.mmap, _libc.munmap
_mmap.restype, _mmap.argtypes = c_void_p, (c_void_p, c_size_t, c_int, c_int, c_int, c_int64)
_munmap.argtypes = c_void_p, c_size_t


class SharedMemory:
    """The shared memory of one database file. It is emptied when the last attachment ends."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._size = 0
        self._attached: list[Attachment] = []

    def attach(self) -> Attachment:
        """A new attachment, for one connection."""
        if not self._attached:
            self._descriptor = os.memfd_create("index")
        attachment = Attachment(self)
        self._attached.append(attachment)
        return attachment

    def detach(self, attachment: Attachment) -> None:
        """End the attachment and its locks."""
        self._attached.remove(attachment)
        if not self._attached:
            os.close(self._descriptor)
            self._size = 0

    def mapped(self, offset: int, size: int, *, extend: bool) -> int | None:
        """Map this part, in bytes, and return its address; None if it does not exist, unless
        `extend` adds it."""
        if offset + size > self._size:
            if not extend:
                return None
            self._size = offset + size
            os.ftruncate(self._descriptor, self._size)
        return _map(None, size, mmap.MAP_SHARED, self._descriptor, offset)

    def is_free(self, locks: int, attachment: Attachment, *, shared: bool) -> bool:
        """Whether no other attachment conflicts with these locks, which are a bit mask."""
        for other in self._attached:
            held = other.exclusive if shared else other.exclusive | other.shared
            if held & locks and other is not attachment:
                return False
        return True


class Attachment:
    """The pointers and locks of one connection."""

    def __init__(self, memory: SharedMemory) -> None:
        self.shared = 0
        self.exclusive = 0
        self._memory: SharedMemory | None = memory
        self._parts: dict[int, tuple[int, int]] = {}

    def map(self, number: int, size: int, *, extend: bool) -> int | None:
        """The address of the part of this number; None if it does not exist."""
        if number not in self._parts:
            assert self._memory
            address = self._memory.mapped(number * size, size, extend=extend)
            if address is None:
                return None
            self._parts[number] = address, size
        return self._parts[number][0]

    def lock(self, first: int, number: int, flags: int) -> int:
        """Take or release `number` locks from the lock `first` on. Returns SQLite's result code."""
        locks = ((1 << number) - 1) << first
        if flags & _UNLOCK:
            self.shared &= ~locks
            self.exclusive &= ~locks
            return OK
        shared = bool(flags & _SHARED)
        assert self._memory
        if not self._memory.is_free(locks, self, shared=shared):
            return BUSY
        if shared:
            self.shared |= locks
        else:
            self.exclusive |= locks
        return OK

    def orphan(self) -> None:
        """End the attachment, but keep its pointers valid: they lead to a private copy."""
        for address, size in self._parts.values():
            content = ctypes.string_at(address, size)
            _map(address, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _FIXED, -1, 0)
            ctypes.memmove(address, content, size)
        self._leave()

    def close(self) -> None:
        """End the attachment. Its pointers become invalid."""
        for address, size in self._parts.values():
            _munmap(address, size)
        self._parts.clear()
        self._leave()

    def _leave(self) -> None:
        if self._memory:
            self._memory.detach(self)
            self._memory = None


def _map(at: int | None, size: int, flags: int, descriptor: int, offset: int) -> int:
    address: int = _mmap(at, size, _ACCESS, flags, descriptor, offset)
    if address == c_void_p(-1).value:
        raise MemoryError
    return address
