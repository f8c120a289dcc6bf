"""How a process ends: a vendor that is being asked may be paid already, and has time to answer."""

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
    """The end of a process: before it begins, while it lasts, and how it is cut short."""

    def __init__(self, seconds: float = 0.0) -> None:
        """`seconds`: for lookups whose vendor is being asked when the end begins."""
        self.seconds = seconds
        self._until = math.inf
        self._at_first: list[Callable[[], None]] = []
        self._jobs: set[anyio.CancelScope] = set()
        self._over: anyio.Event | None = None

    @property
    def has_begun(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._until < math.inf

    def on_begin(self, do: Callable[[], None]) -> None:
        """Have this done when the end begins."""
        self._at_first.append(do)

    def begin(self) -> None:
        """From now on no vendor is asked; what is spared has its time."""
        if self.has_begun:
            return
        self._until = anyio.current_time() + self.seconds
        for job in self._jobs:
            if job.shield:
                job.deadline = self._until
        for do in self._at_first:
            do()

    def cut(self) -> None:
        """Have what still lasts end at once."""
        self.begin()
        for job in self._jobs:
            job.cancel()

    async def work(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work until the end begins; whatever is cancelled then has its own way to end."""
        self._over = anyio.Event()
        try:
            with anyio.CancelScope() as scope:
                self.on_begin(scope.cancel)
                await work()
        finally:
            self._over.set()

    async def over(self) -> None:
        """Return once the work has ended."""
        if self._over:
            await self._over.wait()

    @contextmanager
    def job(self) -> Iterator[anyio.CancelScope]:
        """Within it a job is done, by this task; it is cut short where its time is over."""
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
        """Within it this job goes on for its time, also where all else is cancelled; and to its end
        where that happens."""
        job = _this_job.get()
        if job is None:
            yield
            return
        job.deadline, job.shield = self._until, True
        try:
            yield
        finally:
            job.shield = self.has_begun
