"""A client that waits for its state file and its other processes as long as a test may take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.client import client as client_module
from mcp_enrichment.client import submitter, webhooks
from mcp_enrichment.client.poller import Poller
from mcp_enrichment.client.state import sqlite_file
from mcp_enrichment.mcp import arguments
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def be_patient(change: Callable[[Any, str, float], None] = setattr) -> None:
    """A busy machine may need seconds for a lock or a write of the state file."""
    change(submitter, "CONCURRENT_SEND_SECONDS", HANG)
    change(sqlite_file, "BUSY_TIMEOUT", HANG)
    change(webhooks, "BUSY_TIMEOUT", HANG)
    change(client_module, "SAVE_SECONDS", HANG)


def let_calls_take_long(change: Callable[[Any, str, Any], None]) -> None:
    """Let no tool call be cut off because the machine is busy."""
    change(arguments, "READ_CAP", HANG)
    change(arguments, "WAIT_CAP", HANG)


def count_waits_from_their_first_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin the seconds of a wait once its request has been read, or a read of it has failed.

    On a busy machine, the first read may take longer than a short wait lasts.
    """
    join, once = Poller._join, Poller._poll_once
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
    monkeypatch.setattr(Poller, "_poll_once", read)
    monkeypatch.setattr(arguments.WaitArguments, "cap", HANG)
