"""Time that the test advances, so that no test depends on the speed of the machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.support.scripted_server import Behaviour, ReceivedRequest

SLOW = 0.2
"""Seconds that a server which never answers has before the test advances its caller's time."""


def pass_time(seconds: float) -> None:
    """Advance the event loop's clock: each timer and deadline within these seconds is due now.

    Clocks of other processes, of threads and of the calendar are unchanged.
    """
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


def until_given_up(behaviour: Behaviour, seconds: float) -> Behaviour:
    """The same behaviour; if it never ends, this many seconds pass for its caller.

    The request has always been read by then, however short the caller's time-out is.
    """

    async def behave(stream: SocketStream, seen: ReceivedRequest) -> None:
        async with anyio.create_task_group() as tasks:

            async def pass_it() -> None:
                await anyio.sleep(SLOW)
                pass_time(seconds)

            tasks.start_soon(pass_it)
            await behaviour(stream, seen)
            tasks.cancel_scope.cancel()

    return behave
