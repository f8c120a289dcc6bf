"""The time of one call for a stored contact, by its transactions and changes of threads.

It prints when each transaction of the fastest of 100 calls begins and commits, in which thread, and
when a thread wakes the event loop, in milliseconds since the call. A folder for the files may be
given, as on tmpfs, where no commit waits for a disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from bench.lookup import connected, seconds_to_answer

CALLS = 100
WARM_UP = 20
KINDS = {"BEGIN": "begins", "COMMIT": "commits"}


class Event(NamedTuple):
    """A transaction that begins or commits, or a thread that wakes the event loop."""

    at: float
    thread: str
    what: str


class Timeline:
    """The events of one call, in every thread."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def install(self) -> None:
        """Trace the connections that are opened from now on, and wakes of the event loop."""
        connect, wake = sqlite3.connect, asyncio.BaseEventLoop.call_soon_threadsafe

        def traced(path: Any, *options: Any, **named: Any) -> sqlite3.Connection:
            connection = connect(path, *options, **named)
            file = Path(str(path).partition("?")[0]).name
            connection.set_trace_callback(lambda text: self._statement(file, text))
            return connection

        def noted(loop: Any, *call: Any, **named: Any) -> Any:
            self._add("wakes the event loop")
            return wake(loop, *call, **named)

        sqlite3.connect = sqlite3.dbapi2.connect = traced  # type: ignore[assignment,attr-defined]
        asyncio.BaseEventLoop.call_soon_threadsafe = noted  # type: ignore[method-assign]

    def _statement(self, file: str, text: str) -> None:
        if kind := KINDS.get(text.partition(" ")[0]):
            self._add(f"{file} {kind}")

    def _add(self, what: str) -> None:
        self.events.append(Event(time.perf_counter(), threading.current_thread().name, what))


async def main() -> None:
    """Print the timeline of the fastest call."""
    timeline, calls = Timeline(), list[tuple[float, float, list[Event]]]()
    timeline.install()
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as folder:
        async with connected(Path(folder), 1000) as client:
            for number in range(WARM_UP + CALLS):
                timeline.events, began = [], time.perf_counter()
                calls.append((await seconds_to_answer(client, number), began, timeline.events))
    seconds, began, events = min(calls[WARM_UP:])
    for event in events:
        print(f"{(event.at - began) * 1000:6.2f} ms  {event.thread:12}  {event.what}")
    print(f"{seconds * 1000:6.2f} ms  answer")


if __name__ == "__main__":
    anyio.run(main)
