"""Tool calls and waits that a busy machine does not cut short."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.client.poller import Poller
from mcp_enrichment.mcp import models
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def let_calls_take_long(change: Callable[[Any, str, Any], None]) -> None:
    """No tool call is cut off because the machine is busy."""
    change(models, "READ_CAP", HANG)
    change(models, "WAIT_CAP", HANG)


def count_waits_from_their_first_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds of a wait begin once its request has been read, or a read of it has failed.

    A busy machine may take longer for the first read than a short wait lasts.
    """
    join, once = Poller._join, Poller._once
    seconds: dict[anyio.CancelScope, float] = {}

    def begin(poll: Any) -> None:
        for wait in poll.waits & seconds.keys():
            wait.deadline = anyio.current_time() + seconds.pop(wait)

    def joined(self: Poller, its_id: str, asked_at: float | None, wait: anyio.CancelScope) -> Any:
        seconds[wait] = wait.deadline - anyio.current_time()
        wait.deadline = math.inf
        poll = join(self, its_id, asked_at, wait)
        if poll.last or poll.failures:
            begin(poll)
        return poll

    async def read(self: Poller, poll: Any, polls: int) -> float:
        pause = await once(self, poll, polls)
        begin(poll)
        return pause

    monkeypatch.setattr(Poller, "_join", joined)
    monkeypatch.setattr(Poller, "_once", read)
    monkeypatch.setattr(models.WaitArguments, "cap", HANG)
