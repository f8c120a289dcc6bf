"""Graceful shutdown: a vendor call under way may be paid already, so it gets time to finish."""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_this_job: ContextVar[anyio.CancelScope | None] = ContextVar("_this_job", default=None)


class GracefulShutdown:
    """The state of a process's shutdown."""

    def __init__(self, seconds: float = 0.0) -> None:
        """`seconds`: for vendor calls that are under way when the shutdown begins."""
        self.seconds = seconds
        self._until = math.inf
        self._on_begin: list[Callable[[], None]] = []
        self._jobs: set[anyio.CancelScope] = set()
        self._over: anyio.Event | None = None

    @property
    def has_begun(self) -> bool:
        """Whether nothing new is started."""
        return self._until < math.inf

    def on_begin(self, do: Callable[[], None]) -> None:
        """Call this when the shutdown begins."""
        self._on_begin.append(do)

    def begin(self) -> None:
        """Begin the shutdown: no further vendor call starts, and protected jobs get their time to
        finish."""
        if self.has_begun:
            return
        self._until = anyio.current_time() + self.seconds
        for job in self._jobs:
            if job.shield:
                job.deadline = self._until
        for do in self._on_begin:
            do()

    def cut(self) -> None:
        """Cancel all jobs at once."""
        self.begin()
        for job in self._jobs:
            job.cancel()

    async def work(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work until the shutdown begins, which cancels the work."""
        self._over = anyio.Event()
        try:
            with anyio.CancelScope() as scope:
                self.on_begin(scope.cancel)
                await work()
        finally:
            self._over.set()

    async def over(self) -> None:
        """Return once `work` has returned."""
        if self._over:
            await self._over.wait()

    @contextmanager
    def job(self) -> Iterator[anyio.CancelScope]:
        """The scope of a job in this task. It is cancelled when its time is over."""
        with anyio.CancelScope() as scope:
            token = _this_job.set(scope)
            self._jobs.add(scope)
            try:
                yield scope
            finally:
                self._jobs.remove(scope)
                _this_job.reset(token)

    @contextmanager
    def protected(self) -> Iterator[None]:
        """Within it this job is not cancelled with the rest until its time is over. If the shutdown
        begins within it, that holds until the end of the job."""
        job = _this_job.get()
        if job is None:
            yield
            return
        job.deadline, job.shield = self._until, True
        try:
            yield
        finally:
            job.shield = self.has_begun
