"""Standard input and output as descriptors (Unix): who may touch them, and how they end."""

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
_HALF_CLOSED = getattr(select, "POLLRDHUP", 0)  # Linux: a socket that the client will not write to


def are_pollable() -> bool:
    """Whether an event loop can tell when stdin and stdout are ready.

    It cannot for regular files, which epoll refuses, nor for most devices.
    """
    return all(_is_watchable(fd) for fd in (STDIN, STDOUT))


def _is_watchable(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


@contextmanager
def stdio_fds() -> Iterator[tuple[int, int]]:
    """Yields what stdin and stdout lead to, on descriptors that nobody else knows.

    Meanwhile stdin is empty and stdout is stderr: what is printed here, or by a child process, is
    kept off the wire. Writing to the wire does not block.
    """
    with (
        _null() as null,
        _moved(STDIN, null) as incoming,
        _moved(STDOUT, _errors(null)) as outgoing,
        _not_blocking(outgoing),
        _printed_to_stderr(),
    ):
        yield incoming, outgoing


def has_hung_up(fd: int) -> bool:
    """Whether the client has closed its end, even where what it wrote before is not read yet."""
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
    # Not by the descriptor alone: what Python buffers for it would reach the wire at the process's
    # end, and to write it to a stderr that nobody reads would block.
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def _not_blocking(fd: int) -> Iterator[None]:
    # Others may hold the same pipe, so it is given back as it was; a terminal, which the shell
    # holds, would stay so if the process were killed.
    if os.isatty(fd):
        yield
        return
    was = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        yield
    finally:
        os.set_blocking(fd, was)
