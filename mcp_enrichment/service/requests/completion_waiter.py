"""Waits for the completion of requests, in whichever process."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.service.requests import request_table

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database

logger = logging.getLogger(__name__)

CHANNEL = "request_completed"
"""Named by the trigger of the first migration."""
POLL_EVERY = 0.2
"""Seconds between two polls for requests that another process has completed."""
POLL_EVERY_WITH_LISTENER = 5.0
"""The same where the database sends notifications: in case that one is missed."""
RETRY_AFTER_FAILURE = 5.0
"""Seconds until the next poll after a failure: a long outage must not flood the log."""
IDS_A_QUERY = 500


class CompletionWaiter:
    """Wakes the waiters of a request: at once if this process completes it or the database sends a
    notification, else within `POLL_EVERY`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._holding = True
        self._waiting: defaultdict[str, set[anyio.Event]] = defaultdict(set)

    async def wait(self, request_id: str, seconds: float) -> None:
        """Return when the request is final, or after so many seconds."""
        if not self._holding:
            return
        is_final = anyio.Event()
        self._waiting[request_id].add(is_final)
        try:
            with anyio.move_on_after(seconds):
                await self._notify_final([request_id])
                await is_final.wait()
        finally:
            self._forget(request_id, is_final)

    def notify(self, request_id: str) -> None:
        """Wake the waiters of this request, which is final."""
        for is_final in self._waiting.get(request_id, ()):
            is_final.set()

    def release_waiters(self) -> None:
        """Wake all waiters and accept no new ones: the process is shutting down."""
        self._holding = False
        for request_id in list(self._waiting):
            self.notify(request_id)

    async def watch(self) -> None:
        """Watch for completions in other processes, until cancelled."""
        async with anyio.create_task_group() as tasks:
            if self._database.listen:
                tasks.start_soon(self._listen, partial(self._database.listen, CHANNEL))
            tasks.start_soon(
                self._poll, POLL_EVERY_WITH_LISTENER if self._database.listen else POLL_EVERY
            )

    async def _listen(self, listen: Callable[[], AsyncGenerator[str | None, None]]) -> None:
        while True:
            with log_and_continue(logger, "completions cannot be listened for"):
                async with aclosing(listen()) as completed:
                    async for request_id in completed:
                        if request_id is None:
                            await self._notify_all_final()
                        else:
                            self.notify(request_id)
            await anyio.sleep(RETRY_AFTER_FAILURE)

    async def _poll(self, seconds: float) -> None:
        while True:
            await anyio.sleep(seconds)
            # The waiters time out, and then meet the same failure.
            with log_and_continue(logger, "completions cannot be polled"):
                await self._notify_all_final()
                continue
            await anyio.sleep(RETRY_AFTER_FAILURE)

    async def _notify_all_final(self) -> None:
        """Notify of all waited-for requests that are final."""
        await self._notify_final(list(self._waiting))

    async def _notify_final(self, ids: list[str]) -> None:
        for start in range(0, len(ids), IDS_A_QUERY):
            await self._notify_final_batch(ids[start : start + IDS_A_QUERY])

    async def _notify_final_batch(self, ids: Iterable[str]) -> None:
        def final(connection: Connection) -> set[str]:
            return request_table.final_among(connection, list(ids))

        for request_id in await self._database.read(final):
            self.notify(request_id)

    def _forget(self, request_id: str, is_final: anyio.Event) -> None:
        self._waiting[request_id].discard(is_final)
        if not self._waiting[request_id]:
            del self._waiting[request_id]
