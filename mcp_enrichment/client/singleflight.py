"""One flight for all who ask the same at once; it lands even when all of them have left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from mcp_enrichment.contract.errors import OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from anyio.abc import TaskGroup

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Flight(Generic[T]):
    landed: anyio.Event = field(default_factory=anyio.Event)
    result: list[T] = field(default_factory=list)
    error: Exception | None = None


class SingleFlight(Generic[T]):
    """Runs each piece of work in a task of its own, so that no caller's cancellation tears it."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._flying: dict[Hashable, _Flight[T]] = {}

    async def join(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns or raises: begun now, or by an earlier caller with the same key."""
        flight = self._flying.get(key)
        if flight is None:
            flight = self._flying[key] = _Flight()
            self._tasks.start_soon(self._fly, key, flight, work)
        await flight.landed.wait()
        if not flight.result:
            # Neither a result nor an error: the client was closed while it flew.
            raise flight.error or OutcomeUnknown()
        return flight.result[0]

    async def _fly(
        self, key: Hashable, flight: _Flight[T], work: Callable[[], Awaitable[T]]
    ) -> None:
        try:
            flight.result.append(await work())
        except Exception as error:  # noqa: BLE001 (raised again in whoever waits)
            flight.error = error
        finally:
            del self._flying[key]
            flight.landed.set()
