"""The boundary between the product and the machine: clocks, randomness, threads, sockets and files.

Within `simulated` these belong to the world. The product's code is not changed, except for pauses
and checks of the machine that are listed there.
"""

from __future__ import annotations

import gc
import os
import random
import sqlite3
import ssl
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio._backends._asyncio as anyio_asyncio
import anyio.to_thread
import httpcore

from mcp_enrichment.app import service as composition
from mcp_enrichment.client import http_api
from mcp_enrichment.client.state import sqlite_file
from mcp_enrichment.service.callbacks import callback_sender
from mcp_enrichment.service.db import sqlite as service_sqlite
from mcp_enrichment.service.db import sqlite_threads
from mcp_enrichment.service.queue import sqlite_worker
from mcp_enrichment.service.requests import completion_waiter
from mcp_enrichment.service.sources.vendors import transport as vendor_transport
from tests.simulation.plan import EPOCH
from tests.simulation.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.simulation.world import World

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Used in place of the default context: to read the certificates takes longer than a world."""
POLL_SECONDS = 10.0
"""Virtual seconds between the polls of an idle worker, in place of 1: most worlds last minutes."""
LOOK_SECONDS = 0.5
"""Virtual seconds between two checks whether another process has changed the file, in place of
0.01."""


class Boundary:
    """Replacements for the machine's functions: each works in the world that runs now."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.threads = Threads(lambda: self.running.scheduler)
        self._connect = sqlite3.connect
        self._http_client = http_api.http_client
        self._service_context = composition._service_context

    @property
    def running(self) -> World:
        assert self.world, "no world runs"
        return self.world

    def monotonic(self) -> float:
        return self.running.scheduler.now

    def time(self) -> float:
        world = self.running
        process = world.scheduler.current
        return EPOCH + world.scheduler.now + (world.clock_of(process) if process else 0.0)

    def sleep(self, seconds: float) -> None:
        """Advance the time: as all threads share one, the others pause meanwhile, too."""
        self.running.scheduler.now += seconds

    def urandom(self, size: int) -> bytes:
        return self.running.product_random.randbytes(size)

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        process = self.running.scheduler.current
        if process is None or not process.is_alive:
            raise sqlite3.OperationalError("the process is dead")
        return self.running.files.connect(process, self._connect, *args, **options)

    def read(self, file: Path) -> sqlite3.Connection:
        """A connection that belongs to no process, for the invariants."""
        return self._connect(file, isolation_level=None)

    def http_client(self, url: str, headers: Any, _transport: object) -> Any:
        return self._http_client(url, headers, self.running.network.transport())

    def service_context(self, *args: Any, **options: Any) -> Any:
        return replace(self._service_context(*args, **options), clock=self.time)

    async def resolve(self, host: str, port: int) -> Any:
        return await self.running.network.resolve(host, port)

    async def connect_tcp(self, address: str, port: int) -> Any:
        return await self.running.network.connect(address, port)


class InOrder(dict):  # type: ignore[type-arg]
    """A set that is iterated in the order of insertion: by memory addresses, the order would differ
    from run to run."""

    def __init__(self, members: Any = ()) -> None:
        super().__init__(dict.fromkeys(members))

    def add(self, member: Any) -> None:
        self[member] = None

    def remove(self, member: Any) -> None:
        del self[member]

    def discard(self, member: Any) -> None:
        self.pop(member, None)


def _look_once(waiter: completion_waiter.CompletionWaiter, data_version: Callable[[], int]) -> bool:
    """`CompletionWaiter._look` without its pauses, in which a real thread sleeps."""
    before, waiter._seen = waiter._seen, data_version()
    return waiter._seen != before


def _no_migration(_connection: object) -> None:
    """Do nothing: each file is a copy of a migrated one."""


@contextmanager
def simulated() -> Iterator[Boundary]:
    """Within it the product runs in the world that `Boundary.world` is set to."""
    it = Boundary()
    threads = it.threads
    changes: list[tuple[Any, str, Any]] = [
        (time, "time", it.time),
        (time, "monotonic", it.monotonic),
        (time, "sleep", it.sleep),
        (time, "time_ns", lambda: int(it.time() * 1e9)),
        (os, "urandom", it.urandom),
        (random, "_urandom", it.urandom),
        (sqlite3, "connect", it.connect),
        (sqlite3.dbapi2, "connect", it.connect),
        (anyio.to_thread, "run_sync", threads.run_sync),
        (sqlite_threads, "Thread", threads.thread),
        (sqlite_threads, "SimpleQueue", threads.queue),
        (sqlite_file, "ThreadPoolExecutor", threads.executor),
        (http_api, "http_client", it.http_client),
        (vendor_transport, "http_client", it.http_client),
        (callback_sender, "_resolve", it.resolve),
        (httpcore, "default_ssl_context", lambda: _NO_TLS),
        (callback_sender, "_connect", it.connect_tcp),
        (composition, "_service_context", it.service_context),
        (service_sqlite, "upgrade", _no_migration),
        (service_sqlite, "require_locks", lambda _folder: None),
        (sqlite_file, "require_locks", lambda _folder: None),
        (sqlite_worker, "POLL_EVERY", POLL_SECONDS),
        (completion_waiter, "SHORTEST_PAUSE", LOOK_SECONDS),
        (completion_waiter.CompletionWaiter, "_look", _look_once),
    ]
    ordered = [anyio_asyncio, completion_waiter]
    state, hook = random.getstate(), sys.unraisablehook
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        for module in ordered:
            vars(module)["set"] = InOrder
        with warnings.catch_warnings():
            # The garbage collector closes what dead processes had open, and warns.
            warnings.simplefilter("ignore", ResourceWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            sys.unraisablehook = lambda _error: None
            yield it
            gc.collect()
    finally:
        for module in ordered:
            vars(module).pop("set", None)
        for owner, name, value in originals:
            setattr(owner, name, value)
        random.setstate(state)
        sys.unraisablehook = hook
