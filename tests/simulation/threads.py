"""Replaces the product's threads by steps of the scheduler: each does its work in order, and
later."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import nullcontext
from contextvars import copy_context
from functools import partial
from queue import Empty
from typing import TYPE_CHECKING, Any

import anyio

from tests.simulation.scheduler import Thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.scheduler import Scheduler


class Threads:
    """Replacements for `Thread`, `SimpleQueue`, `ThreadPoolExecutor` and `anyio.to_thread`."""

    def __init__(self, current: Callable[[], Scheduler]) -> None:
        """`current`: returns the scheduler of this world."""
        self._current = current

    def _new(self) -> Thread:
        process = self._current().current
        assert process, "a thread is started in no process"
        return Thread(process)

    async def run_sync(
        self,
        work: Callable[..., Any],
        *args: Any,
        abandon_on_cancel: bool = False,
        limiter: anyio.CapacityLimiter | None = None,
    ) -> Any:
        """As `anyio.to_thread.run_sync`."""
        await anyio.lowlevel.checkpoint()
        async with limiter or nullcontext():
            with anyio.CancelScope(shield=not abandon_on_cancel):
                done: Future[Any] = Future()
                context = copy_context()
                self._new().do(partial(_finish, done, partial(context.run, work, *args)))
                return await asyncio.wrap_future(done)

    def executor(self, _threads: int, **_options: Any) -> _Executor:
        """As `ThreadPoolExecutor` with one thread."""
        return _Executor(self._new)

    def queue(self) -> _Queue:
        """As `SimpleQueue`, for the threads that serve it."""
        return _Queue()

    def thread(self, *, target: Callable[[], None], **_options: Any) -> _ServingThread:
        """As `Thread`, for one that serves a queue."""
        return _ServingThread(target, self._new())


def _finish(done: Future[Any], work: Callable[[], Any]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 (raised again in the caller)
        done.set_exception(error)


class _Executor:
    def __init__(self, new: Callable[[], Thread]) -> None:
        self._new, self._thread = new, None

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        done: Future[Any] = Future()
        self._thread = self._thread or self._new()
        self._thread.do(partial(_finish, done, partial(work, *args)))
        return done


class _Queue:
    """Runs one round of a thread for each item. In a round `get` returns one item, and then None,
    which ends the round; `get_nowait` returns the further items of the same group."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._taken = False
        self.threads: list[_ServingThread] = []

    def put(self, item: Any) -> None:
        if item is None:
            return  # asks a thread to end, which `join` does here
        self._items.append(item)
        thread = self.threads.pop(0)
        self.threads.append(thread)  # the threads take turns
        thread.run(self)

    def get(self) -> Any:
        if self._taken or not self._items:
            return None
        self._taken = True
        return self._items.popleft()

    def get_nowait(self) -> Any:
        if not self._items:
            raise Empty
        return self._items.popleft()

    def serve(self, target: Callable[[], None]) -> None:
        self._taken = False
        target()

    def __bool__(self) -> bool:
        return bool(self._items)


class _ServingThread:
    def __init__(self, target: Callable[[], None], thread: Thread) -> None:
        self._target, self._thread = target, thread

    def start(self) -> None:
        self._queue: _Queue = self._target.__self__._waiting  # type: ignore[attr-defined]
        self._queue.threads.append(self)

    def run(self, queue: _Queue) -> None:
        self._thread.do(partial(queue.serve, self._target))

    def join(self) -> None:
        while self._queue:
            self._queue.serve(self._target)
