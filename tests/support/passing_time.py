"""Time that passes when the test says so, so that no test depends on how fast the machine is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.support.scripted_server import Behaviour, ReceivedRequest

SLOW = 0.2
"""Seconds that a far end which never answers is given before time is made to pass for it."""


def pass_time(seconds: float) -> None:
    """The event loop's clock jumps ahead: each timer and deadline within it is due now.

    Clocks of other processes, of threads and of the calendar stay as they are.
    """
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


def until_given_up(behaviour: Behaviour, seconds: float) -> Behaviour:
    """The same behaviour; if it never ends, so many seconds pass for its caller.

    The request has always been read by then, however short the caller's patience is.
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
