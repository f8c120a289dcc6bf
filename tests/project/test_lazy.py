"""If opening the embedded service raises, waiting calls get the error, and the next one retries."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.app.lazy import lazy, lazy_by_key
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


async def test_a_defect_while_opening_reaches_who_waits_and_the_next_try_opens() -> None:
    tries = []

    @asynccontextmanager
    async def opening() -> AsyncIterator[str]:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError
        yield "opened"

    with anyio.fail_after(HANG):
        async with lazy(opening) as get:
            with pytest.raises(RuntimeError):
                await get()
            assert await get() == "opened"


async def test_a_resource_that_failed_in_use_is_opened_again() -> None:
    dies = anyio.Event()
    tries = []

    @asynccontextmanager
    async def opening() -> AsyncIterator[int]:
        tries.append(1)
        async with anyio.create_task_group() as tasks:
            if len(tries) == 1:
                tasks.start_soon(_die_after, dies)
            yield len(tries)
            tasks.cancel_scope.cancel()

    with anyio.fail_after(HANG):
        async with lazy(opening) as get:
            assert await get() == 1
            dies.set()
            while await get() == 1:
                await anyio.lowlevel.checkpoint()
            assert await get() == 2


async def _die_after(event: anyio.Event) -> None:
    await event.wait()
    raise RuntimeError


async def test_each_key_has_a_resource_of_its_own_that_is_opened_once_and_closed_at_the_end() -> (
    None
):
    told: list[str] = []

    @asynccontextmanager
    async def opening(key: str) -> AsyncIterator[str]:
        told.append(f"opened {key}")
        yield key.upper()
        told.append(f"closed {key}")

    with anyio.fail_after(HANG):
        async with lazy_by_key(opening) as get:
            assert [await get(key) for key in ("a", "b", "a")] == ["A", "B", "A"]
            assert told == ["opened a", "opened b"]
