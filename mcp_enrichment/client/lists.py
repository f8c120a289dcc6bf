"""Requests the emails of a list of profiles, within a number of credits.

Each row has a result or an error of its own. A row that is known already, or whose lookup runs,
costs nothing. A new row is requested while credits are left.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import anyio

from mcp_enrichment.client.results import canonical_or_none
from mcp_enrichment.client.state.records import dedup_key
from mcp_enrichment.client.submission import Forecast
from mcp_enrichment.contract.errors import (
    BudgetExceeded,
    CreditCapReached,
    DeadlineExceeded,
    EnrichmentError,
    InsufficientCredits,
    NotConfirmed,
    RateLimited,
    TransientError,
    Unauthorized,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectSendStream

    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.state.spending import CreditCap
    from mcp_enrichment.contract.models import EmailType

MAX_OPEN = 100
"""Rows of a list that are requested or waited for at the same time."""
MAX_FAILURES = 2 * MAX_OPEN
"""After so many transient errors in a row, the service counts as down and the list ends."""
PREVIEW_CHUNK = 500
"""Rows that a preview reads at a time."""
SUBMIT_SECONDS = 20.0
"""Seconds that a run without a wait may take to submit its rows."""
RATE_LIMITED_SECONDS = 900.0
"""Seconds for which a row is retried while the service answers 429."""


@dataclass(frozen=True, slots=True)
class ListItem:
    """A profile to look up. `external_id`: the caller's own reference."""

    linkedin_url: str
    external_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListRow:
    """The answer for one item. Without result and error it was not requested in time."""

    index: int
    """The position of its item, from 0."""
    item: ListItem
    result: EnrichmentResult | None = None
    error: EnrichmentError | None = None


@dataclass(kw_only=True, slots=True)
class ListPreview:
    """The rows of a list by the way in which they would be answered now. The numbers add up to
    `total`."""

    total: int = 0
    known: int = 0
    """Answered by earlier requests, for free."""
    running: int = 0
    """Joined to running requests."""
    new: int = 0
    """Looked up anew: the most that the list can cost, in credits."""
    duplicates: int = 0
    """Answered with an earlier row of the list."""
    invalid: int = 0
    """Not the URL of a person's profile."""
    unknown: int = 0
    """Not requested again, because the outcome of an earlier request is unknown."""


ReadSpent = Callable[[], Awaitable[int]]


class RequestItem(Protocol):
    """Requests one item and waits until the list's deadline."""

    async def __call__(
        self, item: ListItem, *, may_spend: bool, cap: CreditCap | None
    ) -> EnrichmentResult: ...


class ListRun:
    """One run over a list.

    `read_spent`: reads what all runs have spent of the cap. `until`: the deadline of its waits, on
    the event loop's clock.
    """

    def __init__(
        self,
        items: Iterable[ListItem],
        request: RequestItem,
        *,
        cap: CreditCap | None = None,
        read_spent: ReadSpent | None = None,
        until: float = math.inf,
    ) -> None:
        self._items = enumerate(items)
        self._request = request
        self._cap = cap
        self._until = until
        self._end = max(until, anyio.current_time() + SUBMIT_SECONDS)
        self._allowance = _Allowance(cap, read_spent)
        self._failures = 0
        self._scope = anyio.CancelScope()

    async def rows(self, tasks: TaskGroup) -> AsyncGenerator[ListRow, None]:
        """The rows in the order in which they are answered.

        Raises `Unauthorized`, `MAX_FAILURES` transient errors in a row as the last of them, and
        any error of the iterable of items. Closing the iterator ends the run; the lookups that it
        has requested continue.
        """
        send, receive = anyio.create_memory_object_stream[ListRow | Exception](0)
        tasks.start_soon(self._run, send)
        try:
            async with receive:
                async for row in receive:
                    if isinstance(row, Exception):
                        raise row
                    yield row
        finally:
            self._scope.cancel()

    async def _run(self, send: MemoryObjectSendStream[ListRow | Exception]) -> None:
        with self._scope:
            async with send, anyio.create_task_group() as tasks:
                for _ in range(MAX_OPEN):
                    tasks.start_soon(self._answer_items, self._items, send)

    async def _answer_items(
        self,
        items: Iterator[tuple[int, ListItem]],
        send: MemoryObjectSendStream[ListRow | Exception],
    ) -> None:
        with suppress(anyio.BrokenResourceError):  # nobody reads the rows any more
            try:
                for index, item in items:
                    await send.send(await self._row(index, item))
            except Exception as error:  # noqa: BLE001 (raised again by `rows`)
                await send.send(error)

    async def _row(self, index: int, item: ListItem) -> ListRow:
        try:
            result = await self._result(item)
        except Unauthorized:
            raise
        except EnrichmentError as error:
            self._count_failure(error)
            return ListRow(index=index, item=item, error=error)
        self._failures = 0
        return ListRow(index=index, item=item, result=result)

    def _count_failure(self, error: EnrichmentError) -> None:
        self._failures = self._failures + 1 if isinstance(error, TransientError) else 0
        if self._failures == MAX_FAILURES:
            raise error

    async def _result(self, item: ListItem) -> EnrichmentResult | None:
        """The result; None if no credit was left for it in time."""
        if self._allowance.is_limited:
            with suppress(NotConfirmed), self._allowance.joining():
                return await self._ask(item, may_spend=False)
        while True:
            has_credit = await self._allowance.take(self._until)
            if has_credit is None:
                return None
            if not has_credit:
                with suppress(NotConfirmed):  # an equal row may have been answered meanwhile
                    return await self._ask(item, may_spend=False)
                raise self._allowance.error.with_traceback(None)  # else it keeps all frames
            try:
                return await self._spend(item)
            except (BudgetExceeded, InsufficientCredits) as error:
                self._allowance.exhaust(error)

    async def _spend(self, item: ListItem) -> EnrichmentResult:
        """Request the item as a new lookup, with a credit of the allowance."""
        try:
            result = await self._ask(item, may_spend=True)
            if result is None:
                raise DeadlineExceeded
        except EnrichmentError as error:
            self._allowance.settle(spent=error.charged is None)
            raise
        if result.is_final:
            self._allowance.settle(spent=bool(result.credits_charged))
        elif anyio.current_time() < self._until:  # its wait has failed: nobody sees its end
            self._allowance.settle(spent=True)
        return result

    async def _ask(self, item: ListItem, *, may_spend: bool) -> EnrichmentResult | None:
        """Request the item; None if the run ends before. A 429 is waited out: it holds for the
        account, so for every row."""
        give_up = min(anyio.current_time() + RATE_LIMITED_SECONDS, self._end)
        cap = self._cap if may_spend else None
        with anyio.CancelScope(deadline=self._end):
            while True:
                try:
                    return await self._request(item, may_spend=may_spend, cap=cap)
                except RateLimited as error:
                    pause = error.wait_seconds or 1.0
                    if anyio.current_time() + pause > give_up:
                        raise
                await anyio.sleep(pause)
        return None


class _Allowance:
    """The credits that a run may still spend.

    A credit is held while its lookup runs, and comes back if it is not charged. So a run whose
    credits are all held waits: one of them may come back. The credits of an earlier run of the list
    come back too, when this run joins their lookups.
    """

    def __init__(self, cap: CreditCap | None, read_spent: ReadSpent | None) -> None:
        self._cap = cap
        self._read_spent = read_spent
        self._left: float = 0 if cap else math.inf
        self._held = 0
        self._joining = 0
        self._settled = anyio.Event()
        self.error: EnrichmentError = CreditCapReached()
        """Why no credit is left."""

    @property
    def is_limited(self) -> bool:
        return math.isfinite(self._left)

    async def take(self, until: float) -> bool | None:
        """Hold a credit, once one is free. False: none can come back; None: none has in time."""
        while self._left < 1:
            settled, may_come_back = self._settled, bool(self._held or self._joining)
            if await self._has_more() or settled.is_set():
                continue
            if not may_come_back:
                return False
            with anyio.CancelScope(deadline=until) as waiting:
                await settled.wait()
            if waiting.cancelled_caught:
                return None
        self._left -= 1
        self._held += 1
        return True

    async def _has_more(self) -> bool:
        """Read whether the cap allows more, as lookups of earlier runs have ended."""
        if self._held or not isinstance(self.error, CreditCapReached):
            return False
        if not (self._cap and self._read_spent):
            return False
        spent = await self._read_spent()
        if not self._held:  # else others have read it too
            self._left = max(self._cap.max_credits - spent, 0)
        return self._left >= 1 or bool(self._held)

    @contextmanager
    def joining(self) -> Iterator[None]:
        """While an earlier lookup may be joined, whose credit may come back."""
        self._joining += 1
        try:
            yield
        finally:
            self._joining -= 1
            self._wake()

    def settle(self, *, spent: bool) -> None:
        """End the hold of a credit: it is charged, or comes back."""
        self._held -= 1
        self._left += not spent
        self._wake()

    def exhaust(self, error: EnrichmentError) -> None:
        """No credit is left, for this reason, until a held one comes back."""
        self._left, self.error = 0, error

    def _wake(self) -> None:
        if self._left >= 1 or not (self._held or self._joining):
            self._settled.set()
            self._settled = anyio.Event()


async def preview_list(
    linkedin_urls: Iterable[str],
    type: EmailType,  # noqa: A002
    account: str,
    forecast: Callable[[Sequence[str]], Awaitable[Sequence[Forecast]]],
) -> ListPreview:
    """Count how the rows of a list would be answered. The keys seen so far are kept on disk."""
    found = ListPreview()
    with closing(sqlite3.connect("")) as seen:
        seen.execute("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID")
        urls = iter(linkedin_urls)
        while chunk := list(islice(urls, PREVIEW_CHUNK)):
            profiles = [profile for url in chunk if (profile := canonical_or_none(url))]
            keys = [dedup_key(account, profile, type) for profile in profiles]
            fresh = [key for key in keys if _add(seen, key)]
            counts = Counter(await forecast(fresh))
            found.total += len(chunk)
            found.invalid += len(chunk) - len(profiles)
            found.duplicates += len(keys) - len(fresh)
            found.known += counts[Forecast.KNOWN]
            found.running += counts[Forecast.RUNNING]
            found.unknown += counts[Forecast.UNKNOWN]
            found.new += counts[Forecast.NEW]
    return found


def _add(seen: sqlite3.Connection, key: str) -> bool:
    """Add a key; False if it was there."""
    return seen.execute("INSERT OR IGNORE INTO keys VALUES (?)", (key,)).rowcount == 1
