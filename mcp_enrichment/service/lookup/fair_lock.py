"""A lock for which teams take turns, each team's own in their order."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class RoundRobinLock:
    """The line at one source in one process: no team's hundreds stand before another team's one."""

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: dict[int, deque[anyio.Event]] = {}
        """By team, in the order of the teams' turns."""

    @asynccontextmanager
    async def held(self, team_id: int) -> AsyncIterator[None]:
        """Within it one of this team is the first in the line."""
        if self._is_held:
            await self._wait(team_id)
        self._is_held = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, team_id: int) -> None:
        mine = anyio.Event()
        self._waiting.setdefault(team_id, deque()).append(mine)
        try:
            await mine.wait()
        except BaseException:  # cancelled: whoever comes after must not wait for it
            if mine.is_set():
                self._pass_on()
            else:
                self._leave(team_id, mine)
            raise

    def _pass_on(self) -> None:
        """Let the next one in. Its team's turn comes again after those of the other teams."""
        self._is_held = bool(self._waiting)
        if self._waiting:
            team_id = next(iter(self._waiting))
            its = self._waiting.pop(team_id)
            its.popleft().set()
            if its:
                self._waiting[team_id] = its

    def _leave(self, team_id: int, mine: anyio.Event) -> None:
        its = self._waiting[team_id]
        its.remove(mine)
        if not its:
            del self._waiting[team_id]
