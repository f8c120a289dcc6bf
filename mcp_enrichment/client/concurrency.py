"""One run of some work for all callers that want its result at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from mcp_enrichment.contract.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class SharedCall(asyncio.Future[T]):
    """The result of the work, which goes on when its callers are cancelled."""

    async def result_or_error(self) -> T:
        """Wait for the result, or raise the error."""
        return await asyncio.shield(self)

    async def run(
        self,
        work: Callable[[], Awaitable[T]],
        when_cancelled: type[Exception] = ServiceUnavailable,
    ) -> None:
        """Do the work, in a task of its own, and give its result or error to all callers."""
        try:
            self.set_result(await work())
        except Exception as error:  # noqa: BLE001 (raised again in each caller)
            self.fail(error)
        finally:
            if not self.done():  # cancelled: the owner's task group is closed
                self.fail(when_cancelled())

    def fail(self, error: Exception) -> None:
        """Raise the error in all callers, if there are any."""
        self.set_exception(error)
        self.exception()  # else asyncio logs an error that no caller has read
