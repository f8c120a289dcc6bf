"""What goes on beside work until the work has ended, also where that end takes its time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from typing import Any


@asynccontextmanager
async def run_alongside(*upkeep: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Do these, which never end, until the block has ended: not only until it is cancelled."""
    scope = anyio.CancelScope(shield=True)

    async def keep() -> None:
        with scope:
            async with anyio.create_task_group() as tasks:
                for one in upkeep:
                    tasks.start_soon(one)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep)
        try:
            yield
        finally:
            scope.cancel()
