"""Polling one request for as long as anybody waits for it: one poll, however many wait."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import anyio

from mcp_enrichment.client import retry
from mcp_enrichment.client.http_api import MAX_IN_FLIGHT
from mcp_enrichment.client.poll_schedule import PollSchedule
from mcp_enrichment.contract.errors import EnrichmentError, ServiceUnavailable

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from mcp_enrichment.client.http_api import HTTPApi
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.contract.models import EnrichmentBody

HOLD = 25
"""Seconds that a server is asked to hold an answer: below what proxies cut off."""
TELL_BEFORE = 0.5
"""A held answer must be back this many seconds before the first waiter's deadline."""
LAST_LOOK = 1.0
"""Seconds for one more request when all are let go, where none has been answered yet."""
MAX_HOLDS = 8
"""Held requests at once; the rest of those that may be in flight stay free for others."""
MAX_READS = MAX_IN_FLIGHT - 1
"""Requests at once, held or not: thousands that are due do not keep another call waiting."""
READS_A_SECOND = 200
"""At most; each poll pauses for longer where that many are running."""


class NoResponseYet(ServiceUnavailable):
    """None came in time though none has failed: the service is slow, or so many are waited for."""


class WaitResult(NamedTuple):
    """What waiting for a request came to."""

    enrichment: EnrichmentBody
    duration: float | None
    """Seconds from its asking to its end; None where its end was not seen as it came."""


@dataclass(eq=False, slots=True)
class _Poll:
    enrichment_id: str
    began: float
    """When it was asked, on the clock that never jumps."""
    duration: float | None = None
    last: EnrichmentBody | None = None
    watched: bool = False
    """It was seen unfinished by the last read."""
    error: EnrichmentError | None = None
    failures: int = 0
    waits: set[anyio.CancelScope] = field(default_factory=set)
    """Those who wait, each until its deadline."""
    held_until: float = 0.0
    asked_to_wait_until: float = 0.0
    """Before which the server wants no further request (`Retry-After`)."""
    pushed: bool = False
    """Its end is to be pushed, and has not been."""
    poll_now: anyio.Event = field(default_factory=anyio.Event)
    request: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Poller:
    """The polls of one client."""

    def __init__(self, wire: HTTPApi, tasks: TaskGroup, pushes: Webhooks | None = None) -> None:
        self._wire = wire
        self._pushes = pushes
        self._tasks = tasks
        self._running: dict[str, _Poll] = {}
        self._turns = anyio.CapacityLimiter(MAX_READS)
        self._holds = 0
        self.schedule = PollSchedule()

    def release_waiters(self) -> None:
        """Let all who wait go, with what was last seen, or will be after one more look."""
        for poll in self._running.values():
            end = anyio.current_time() + (LAST_LOOK if poll.last is None else 0.0)
            for wait in poll.waits:
                wait.deadline = min(wait.deadline, end)
            if poll.last is None:
                poll.request.cancel()  # it is asked again, and not held

    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not self._running

    def poll_now(self, enrichment_id: str) -> None:
        """Ask for this request as soon as may be, if anybody waits for it."""
        if poll := self._running.get(enrichment_id):
            poll.poll_now.set()

    async def wait(
        self, enrichment_id: str, seconds: float, *, asked_at: float | None = None
    ) -> WaitResult:
        """The request once it is final, or as it was last seen when the seconds are over.

        Raises what makes polling pointless at once, `ServiceUnavailable` or `RateLimited` where in
        all that time no answer came, and `NoAnswerYet` where nothing had failed either.
        """
        scope = anyio.CancelScope(deadline=anyio.current_time() + seconds)
        poll = self._join(enrichment_id, asked_at, scope)
        try:
            with scope:
                await poll.done.wait()
        finally:
            self._leave(poll, scope)
        if poll.last is None or (poll.done.is_set() and not poll.last.status.is_final):
            raise poll.error or NoResponseYet()
        return WaitResult(poll.last, None if asked_at is None else poll.duration)

    def _join(self, enrichment_id: str, asked_at: float | None, scope: anyio.CancelScope) -> _Poll:
        poll = self._running.get(enrichment_id)
        if poll is None:
            age = 0.0 if asked_at is None else max(time.time() - asked_at, 0.0)
            poll = _Poll(enrichment_id=enrichment_id, began=anyio.current_time() - age)
            self._running[enrichment_id] = poll
            self._tasks.start_soon(self._run, poll)
        poll.waits.add(scope)
        _end_what_cannot_be_waited(poll)
        if poll.last is None and scope.deadline < poll.held_until:
            poll.request.cancel()  # it is asked again, and held for less
        return poll

    def _leave(self, poll: _Poll, scope: anyio.CancelScope) -> None:
        poll.waits.remove(scope)
        if not poll.waits:
            poll.scope.cancel()
            if self._running.get(poll.enrichment_id) is poll:
                del self._running[poll.enrichment_id]

    async def _run(self, poll: _Poll) -> None:
        polls = 0
        with poll.scope:
            pause = await self._until_due(poll)
            while not poll.done.is_set():
                await self._rest(poll, pause)
                pause = await self._once(poll, polls)
                polls += 1

    async def _until_due(self, poll: _Poll) -> float:
        """Seconds until the first request."""
        expected = await self._pushes.expected(poll.enrichment_id) if self._pushes else None
        if expected is None:
            return 0.0
        poll.pushed, poll.last = True, expected.last
        return expected.pause

    async def _rest(self, poll: _Poll, pause: float) -> None:
        if poll.failures:
            await anyio.sleep(pause)  # what a server asks for is not cut short by a hint
            return
        with anyio.move_on_after(pause):
            await poll.poll_now.wait()
        if poll.poll_now.is_set():
            poll.poll_now, poll.pushed = anyio.Event(), False

    async def _once(self, poll: _Poll, polls: int) -> float:
        """One request; how long to wait for the next."""
        try:
            held = await self._get(poll)
        except EnrichmentError as error:
            poll.error, poll.failures, poll.watched = error, poll.failures + 1, False
            pause = retry.backoff(error, poll.failures)
            if pause is None:
                poll.done.set()
            poll.asked_to_wait_until = anyio.current_time() + (error.retry_after or 0.0)
            _end_what_cannot_be_waited(poll)
            return pause or 0.0
        poll.failures, age = 0, anyio.current_time() - poll.began
        if self._pushes and poll.pushed and poll.last:
            await self._pushes.record_poll(poll.last, notified=poll.poll_now.is_set())
        if poll.last and poll.last.status.is_final:
            seen_to_end = poll.watched and not poll.pushed  # a lost push is noticed a minute late
            poll.duration = age if seen_to_end else None
            poll.done.set()
        poll.watched = True
        if poll.pushed:
            return retry.WEBHOOK_POLL_INTERVAL
        if held:
            return 0.0
        return max(self.schedule.pause(age, polls), len(self._running) / READS_A_SECOND)

    async def _get(self, poll: _Poll) -> bool:
        """Read it; whether to ask again at once: the server has held the answer for as long as it
        was asked to, or the request was called off for one that is held for less."""
        async with self._turns:
            return await self._get_now(poll)

    async def _get_now(self, poll: _Poll) -> bool:
        began = anyio.current_time()
        hold = self._hold(poll, began)
        poll.held_until = began + hold
        self._holds += bool(hold)
        try:
            with anyio.CancelScope() as poll.request:
                got = await self._wire.get(poll.enrichment_id, hold=hold)
        finally:
            self._holds -= bool(hold)
        if poll.request.cancelled_caught:
            return True
        poll.last = got.enrichment
        # A server that claims to hold and answers at once would otherwise be asked without pause.
        return got.held and hold > 0 and anyio.current_time() - began >= hold / 2

    def _hold(self, poll: _Poll, now: float) -> int:
        """Seconds to ask for; 0 where nobody can wait that long, where enough is held already, or
        where others are due."""
        others_are_due = self._turns.statistics().tasks_waiting > 0
        if self._holds >= MAX_HOLDS or others_are_due or poll.pushed:
            return 0
        ends = (wait.deadline for wait in poll.waits)
        left = min(ends, default=now) - TELL_BEFORE - now
        return int(max(min(HOLD, left), 0))


def _end_what_cannot_be_waited(poll: _Poll) -> None:
    """Who would have been told of the outage at a deadline before the server wants to be asked
    again is told of it now."""
    if poll.last is not None or not poll.failures:
        return
    for wait in poll.waits:
        if wait.deadline < poll.asked_to_wait_until:
            wait.deadline = anyio.current_time()
