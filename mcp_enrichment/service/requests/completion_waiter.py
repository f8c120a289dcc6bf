"""Waits for the completion of requests, which any process may complete."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mcp_enrichment.contract.error_logging import log_and_continue
from mcp_enrichment.service.requests import request_table

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from mcp_enrichment.service.db.database import Database

logger = logging.getLogger(__name__)

CHANNEL = "request_completed"
"""Named by the trigger of the first migration."""
SHORTEST_PAUSE = 0.01
"""Seconds between two checks whether another connection has changed the file, just after a change.
A check takes microseconds; most of its cost is waking the thread."""
LONGEST_PAUSE = 0.05
"""The same once nothing has changed for two seconds. A lookup that begins is a change."""
PAUSE_GROWTH = 1.02
"""The factor between two pauses: a pause is 10 ms plus 2 % of the time without a change."""
POLL_EVERY_WITH_LISTENER = 5.0
"""Seconds between two polls if the database sends notifications: in case that one is missed."""
RETRY_AFTER_FAILURE = 5.0
"""Seconds until the next poll after a failure: a long outage must not flood the log."""
IDS_A_QUERY = 500


class CompletionWaiter:
    """Wakes the waiters of a request: at once if this process completes it or the database sends a
    notification, else within `LONGEST_PAUSE`, as it looks whether the file has changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._holding = True
        self._has_waiters = anyio.Event()
        self._looking = anyio.CapacityLimiter(1)
        self._seen: int | None = None
        """The version of the database that was seen last."""
        self._waiting: defaultdict[str, set[anyio.Event]] = defaultdict(set)

    async def wait(self, request_id: str, seconds: float) -> None:
        """Return when the request is final, or after so many seconds."""
        if not self._holding:
            return
        is_final = anyio.Event()
        self._waiting[request_id].add(is_final)
        self._has_waiters.set()
        try:
            with anyio.move_on_after(seconds):
                get = partial(request_table.get, request_id=request_id)
                now = await self._database.read_few(get)  # it may have become final meanwhile
                if now and not now.status.is_final:
                    await is_final.wait()
        finally:
            self._waiting[request_id].discard(is_final)
            if not self._waiting[request_id]:
                del self._waiting[request_id]
            if not self._waiting:
                self._has_waiters = anyio.Event()

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
            if self._database.data_version:
                until_due = partial(self._until_changed, self._database.data_version)
            else:
                until_due = partial(anyio.sleep, POLL_EVERY_WITH_LISTENER)
            tasks.start_soon(self._poll, until_due)

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

    async def _poll(self, until_due: Callable[[], Awaitable[None]]) -> None:
        """Poll each time that `until_due` returns. Of consecutive failures only the first is
        logged."""
        is_failing = False
        while True:
            # The waiters time out, and then meet the same failure.
            logged = log_and_continue(logger, "completions cannot be polled")
            with suppress(Exception) if is_failing else logged:
                await until_due()
                await self._notify_all_final()
                is_failing = False
                continue
            is_failing, self._seen = True, None
            await anyio.sleep(RETRY_AFTER_FAILURE)

    async def _until_changed(self, data_version: Callable[[], int]) -> None:
        """Return once a caller waits and the database has changed since the last check."""
        changed = False
        while not changed:
            await self._has_waiters.wait()
            await anyio.sleep(SHORTEST_PAUSE)  # a lookup that is answered at once costs no look
            changed = bool(self._waiting) and await anyio.to_thread.run_sync(
                self._look, data_version, abandon_on_cancel=True, limiter=self._looking
            )

    def _look(self, data_version: Callable[[], int]) -> bool:
        """Check until the database has changed, and return True; return False once nobody waits.

        All checks run in one call of a thread, as waking the event loop for each costs twice as
        much.
        """
        pause = SHORTEST_PAUSE
        while self._waiting:
            before, self._seen = self._seen, data_version()
            if self._seen != before:
                return True
            time.sleep(pause)
            pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE)
        return False

    async def _notify_all_final(self) -> None:
        """Notify of all waited-for requests that are final."""
        ids = list(self._waiting)
        for start in range(0, len(ids), IDS_A_QUERY):
            some = partial(request_table.final_among, ids=ids[start : start + IDS_A_QUERY])
            for request_id in await self._database.read(some):
                self.notify(request_id)
