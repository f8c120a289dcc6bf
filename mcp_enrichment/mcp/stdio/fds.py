"""The file descriptors of stdin and stdout (Unix)."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN, STDOUT, STDERR = 0, 1, 2
_LOST = select.POLLHUP | select.POLLERR | select.POLLNVAL
_HALF_CLOSED = getattr(
    select, "POLLRDHUP", 0
)  # Linux: the client has shut down its side of a socket


def are_pollable() -> bool:
    """Whether an event loop can wait for stdin and stdout. It cannot for regular files and most
    devices."""
    return all(_is_watchable(fd) for fd in (STDIN, STDOUT))


def _is_watchable(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


@contextmanager
def stdio_fds() -> Iterator[tuple[int, int]]:
    """Yield duplicates of stdin and stdout that nobody else uses. Writing does not block.

    Meanwhile stdin is empty and stdout is stderr, so that output of this process or of a child
    process does not get into the messages.
    """
    with (
        _null() as null,
        _moved(STDIN, null) as reader,
        _moved(STDOUT, _errors(null)) as writer,
        not_blocking(writer),
        _printed_to_stderr(),
    ):
        yield reader, writer


def has_hung_up(fd: int) -> bool:
    """Whether the client has closed its end, even if data is still unread."""
    poll = select.poll()
    poll.register(fd, _HALF_CLOSED)
    return any(events & (_LOST | _HALF_CLOSED) for _, events in poll.poll(0))


@contextmanager
def _null() -> Iterator[int]:
    null = os.open(os.devnull, os.O_RDWR)
    try:
        yield null
    finally:
        os.close(null)


def _errors(null: int) -> int:
    try:
        os.fstat(STDERR)
    except OSError:
        return null
    return STDERR


@contextmanager
def _moved(fd: int, instead: int) -> Iterator[int]:
    own = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, STDERR + 1)
    os.dup2(instead, fd)
    try:
        yield own
    finally:
        os.dup2(own, fd)
        os.close(own)


@contextmanager
def _printed_to_stderr() -> Iterator[None]:
    # The descriptor is not enough: Python would flush its buffer of stdout at exit, into the
    # messages, or block on a stderr that nobody reads.
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def not_blocking(fd: int) -> Iterator[None]:
    """Have writes to the descriptor return at once during the block. A terminal stays as it is."""
    # Other processes may share the pipe, so its mode is restored. A terminal is left alone: if this
    # process were killed, the shell's terminal would stay non-blocking.
    if os.isatty(fd):
        yield
        return
    was = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        yield
    finally:
        os.set_blocking(fd, was)
