"""Ends a process cleanly and in time: by itself, or by a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.cli.logs import drain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
CLEANUP_SECONDS = 0.5
"""The limit of the cleanup. Another process may lock the database for longer. A job that is not
released by then is claimed again after its lease."""


def run_until_signalled(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work`, or cancel it at SIGTERM or SIGINT. After the cleanup the process ends by that
    signal, as its sender expects. A second signal ends it at once.
    """
    if sys.platform == "win32":
        # Signals do not reach the event loop there, and Python's handler of Ctrl-C would wait for
        # the thread that reads a line of stdin.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        anyio.run(work)
        return
    received = anyio.run(_until_signalled, work)
    if received:
        _die_by(received)


@contextmanager
def endings_as_ctrl_c() -> Iterator[None]:
    """In the block, SIGTERM and the SIGHUP of a closed terminal do what Ctrl-C does.

    Those that are ignored, as under `nohup`, stay ignored. All keep their effect if Ctrl-C is
    ignored, as in the background of a script.
    """
    endings = [signal.SIGTERM]
    if sys.platform != "win32":
        endings.append(signal.SIGHUP)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        endings = []
    changed = [one for one in endings if signal.getsignal(one) is signal.SIG_DFL]
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def end(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGTERM:  # the terminal is gone: writing to it would fail
            _discard(terminals)
        ctrl_c = signal.getsignal(signal.SIGINT)
        if callable(ctrl_c):
            ctrl_c(signal.SIGINT, frame)

    for one in changed:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one in changed:
            signal.signal(one, signal.SIG_DFL)


def _discard(streams: list[int]) -> None:
    """Discard what is written to these file descriptors."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)


def exit_after_cleanup(status: int = 0) -> None:
    """End the process with this status after `CLEANUP_SECONDS`, if it still runs."""
    asyncio.get_running_loop().call_later(CLEANUP_SECONDS, _exit, status)


def _exit(status: int) -> None:
    drain()
    os._exit(status)


async def _until_signalled(work: Callable[[], Awaitable[None]]) -> signal.Signals | None:
    """Run `work`, and return the signal that cancelled it, or None."""
    received: signal.Signals | None = None

    async def cancel_at_signal() -> None:
        nonlocal received
        received = await anext(signals)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        asyncio.get_running_loop().call_later(CLEANUP_SECONDS, _die_by, received)
        tasks.cancel_scope.cancel()

    with anyio.open_signal_receiver(*STOP_SIGNALS) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_at_signal)
            await work()
            tasks.cancel_scope.cancel()
    return received


def _die_by(received: signal.Signals) -> None:
    drain()
    signal.signal(received, signal.SIG_DFL)
    signal.raise_signal(received)
    os._exit(128 + received)  # process 1 of a container survives its own signal
