"""Polls a request while anybody waits for it. All waits for one request share its polls."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import anyio

from mcp_enrichment.client import poll_schedule, retry
from mcp_enrichment.client.http_api import MAX_IN_FLIGHT
from mcp_enrichment.client.poll_schedule import PollSchedule
from mcp_enrichment.contract.errors import EnrichmentError, ServiceUnavailable

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from mcp_enrichment.client.service_api import ServiceApi
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.contract.models import EnrichmentBody

HOLD = 25
"""Seconds in `Prefer: wait`: less than the time-out of proxies."""
RESPONSE_MARGIN = 0.5
"""Seconds before the first waiter's deadline at which a held response must be back."""
LAST_POLL_SECONDS = 1.0
"""Time for one more poll when waiters are released before any response has come."""
MAX_POLLS = MAX_IN_FLIGHT - 1
"""Polls at once, held or not. One connection stays free for other calls."""
POLLS_A_SECOND = 200
"""For all requests together: each pauses longer when this many are due."""


class NoResponseYet(ServiceUnavailable):
    """No response came in time, and no poll has failed: the service is slow, or many wait."""


class WaitResult(NamedTuple):
    """The result of a wait."""

    enrichment: EnrichmentBody
    duration: float | None
    """Seconds from the request until it was final; None if no poll saw it become final."""


@dataclass(eq=False, slots=True)
class _Poll:
    enrichment_id: str
    started_at: float
    """When the lookup was requested, on the monotonic clock."""
    duration: float | None = None
    last: EnrichmentBody | None = None
    was_pending: bool = False
    """The last poll saw it, and it was not final."""
    error: EnrichmentError | None = None
    failures: int = 0
    waits: set[anyio.CancelScope] = field(default_factory=set)
    """The waiters, each with its deadline."""
    held_until: float = 0.0
    retry_at: float = 0.0
    """The time that `Retry-After` asks for."""
    expects_webhook: bool = False
    poll_now: anyio.Event = field(default_factory=anyio.Event)
    request: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Poller:
    """The polls of one client."""

    def __init__(self, api: ServiceApi, tasks: TaskGroup, webhooks: Webhooks | None = None) -> None:
        self._api = api
        self._webhooks = webhooks
        self._tasks = tasks
        self._running: dict[str, _Poll] = {}
        self._slots = anyio.CapacityLimiter(MAX_POLLS)
        self.schedule = PollSchedule()

    def release_waiters(self) -> None:
        """End all waits now with the last response, or after one more poll if none came."""
        for poll in self._running.values():
            end = anyio.current_time() + (LAST_POLL_SECONDS if poll.last is None else 0.0)
            for wait in poll.waits:
                wait.deadline = min(wait.deadline, end)
            if poll.last is None:
                poll.request.cancel()  # it is sent again and not held

    async def watch(self, webhooks: Webhooks) -> None:
        """Poll each request whose webhook arrives, if anybody waits for it. Never returns."""
        number = 0
        while True:
            await webhooks.arrival()
            if not self._running:
                continue
            number, ids = await webhooks.arrived_since(number)
            for enrichment_id in ids:
                if poll := self._running.get(enrichment_id):
                    poll.poll_now.set()

    async def wait(
        self, enrichment_id: str, until: float, *, asked_at: float | None = None
    ) -> WaitResult:
        """The request once it is final; else its last response when the clock of the event loop
        reaches `until`.

        Raises permanent errors at once; `ServiceUnavailable` or `RateLimited` if no response came
        in that time; `NoResponseYet` if, besides, no poll has failed.
        """
        scope = anyio.CancelScope(deadline=until)
        poll = self._join(enrichment_id, asked_at, scope)
        try:
            with scope:
                await poll.done.wait()
        finally:
            poll.waits.remove(scope)
            if not poll.waits:
                poll.scope.cancel()
                if self._running.get(enrichment_id) is poll:
                    del self._running[enrichment_id]
        if poll.last is None or (poll.done.is_set() and not poll.last.status.is_final):
            raise poll.error or NoResponseYet()
        return WaitResult(poll.last, None if asked_at is None else poll.duration)

    def _join(self, enrichment_id: str, asked_at: float | None, scope: anyio.CancelScope) -> _Poll:
        poll = self._running.get(enrichment_id)
        if poll is None:
            age = 0.0 if asked_at is None else max(time.time() - asked_at, 0.0)
            poll = _Poll(enrichment_id=enrichment_id, started_at=anyio.current_time() - age)
            self._running[enrichment_id] = poll
            self._tasks.start_soon(self._run, poll)
        poll.waits.add(scope)
        _end_hopeless_waits(poll)
        if poll.last is None and scope.deadline < poll.held_until:
            poll.request.cancel()  # it is sent again with a shorter hold
        return poll

    async def _run(self, poll: _Poll) -> None:
        polls, pause = 0, 0.0
        with poll.scope:
            if self._webhooks and (expected := await self._webhooks.expected(poll.enrichment_id)):
                poll.expects_webhook, poll.last, pause = True, expected.last, expected.pause
            while not poll.done.is_set():
                if poll.failures:
                    await anyio.sleep(pause)  # a webhook does not shorten `Retry-After`
                else:
                    with anyio.move_on_after(pause):
                        await poll.poll_now.wait()
                    if poll.poll_now.is_set():
                        poll.poll_now, poll.expects_webhook = anyio.Event(), False
                pause = await self._poll_once(poll, polls)
                polls += 1

    async def _poll_once(self, poll: _Poll, polls: int) -> float:
        """Poll; return the seconds until the next poll."""
        try:
            poll_again = await self._get(poll)
        except EnrichmentError as error:
            return _record_failure(poll, error)
        poll.failures, age = 0, anyio.current_time() - poll.started_at
        if self._webhooks and poll.expects_webhook and poll.last:
            await self._webhooks.record_poll(poll.last, notified=poll.poll_now.is_set())
        if poll.last and poll.last.status.is_final:
            # A lost webhook is noticed up to a minute late: that is no duration to learn from.
            is_exact = poll.was_pending and not poll.expects_webhook
            poll.duration = age if is_exact else None
            poll.done.set()
            return 0.0
        poll.was_pending = True
        if poll.expects_webhook:
            return poll_schedule.WEBHOOK_POLL_INTERVAL
        if poll_again:
            return 0.0
        return max(self.schedule.pause(age, polls), len(self._running) / POLLS_A_SECOND)

    async def _get(self, poll: _Poll) -> bool:
        """Send one GET; return whether to send the next one at once.

        That is so if the service has held this GET for the requested time, or if the GET was
        cancelled to be sent again with a shorter hold.
        """
        async with self._slots:
            started_at = anyio.current_time()
            hold = self._hold_seconds(poll, started_at)
            poll.held_until = started_at + hold
            with anyio.CancelScope() as poll.request:
                got = await self._api.get(poll.enrichment_id, hold=hold)
        if poll.request.cancelled_caught:
            return True
        poll.last = got.enrichment
        # A service that claims to hold, and responds at once, is polled by the schedule.
        return got.held and hold > 0 and anyio.current_time() - started_at >= hold / 2

    def _hold_seconds(self, poll: _Poll, now: float) -> int:
        """The seconds for `Prefer: wait`; 0 if a waiter leaves before, if enough requests are held,
        or if other polls wait for a connection."""
        others_wait = self._slots.statistics().tasks_waiting > 0
        if others_wait or poll.expects_webhook or not self._api.in_flight.may_hold:
            return 0
        deadlines = (wait.deadline for wait in poll.waits)
        left = min(deadlines, default=now) - RESPONSE_MARGIN - now
        return int(max(min(HOLD, left), 0))


def _record_failure(poll: _Poll, error: EnrichmentError) -> float:
    """Save the error; return the seconds until the next poll."""
    poll.error, poll.failures, poll.was_pending = error, poll.failures + 1, False
    pause = retry.backoff(error, poll.failures)
    if pause is None:
        poll.done.set()
    poll.retry_at = anyio.current_time() + (error.retry_after or 0.0)
    _end_hopeless_waits(poll)
    return pause or 0.0


def _end_hopeless_waits(poll: _Poll) -> None:
    """End the waits that would see no further poll before their deadline."""
    if poll.last is not None or not poll.failures:
        return
    for wait in poll.waits:
        if wait.deadline < poll.retry_at:
            wait.deadline = anyio.current_time()
