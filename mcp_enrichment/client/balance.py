"""Reads the balance of the account, which a budget may keep above a reserve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.client.concurrency import SharedCall
from mcp_enrichment.client.state.spending import ACCEPTED, CHARGED, BalanceSnapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.contract.models import Credits


class BalanceReader:
    """Requests that begin at the same time share one read: each still counts all credits that the
    balance does not show yet."""

    def __init__(
        self,
        store: RequestStore,
        read_credits: Callable[[], Awaitable[Credits]],
        tasks: TaskGroup,
    ) -> None:
        """`read_credits`: reads the balance from the service, with retries."""
        self._store = store
        self._read_credits = read_credits
        self._tasks = tasks
        self._reading: SharedCall[BalanceSnapshot] | None = None

    async def snapshot(self) -> BalanceSnapshot:
        """The balance now. Raises errors of the service and `StorageFailed`."""
        if self._reading is None or self._reading.done():
            self._reading = SharedCall()
            self._tasks.start_soon(self._reading.run, self._read)
        return await self._reading.result_or_error()

    async def _read(self) -> BalanceSnapshot:
        states = await self._store.credit_states()
        credits_now = await self._read_credits()
        # A service that holds credits has already deducted those of accepted requests.
        already = (ACCEPTED, CHARGED) if credits_now.held is not None else (CHARGED,)
        deducted = frozenset(key for key, state in states.items() if state in already)
        return BalanceSnapshot(balance=credits_now.balance, deducted=deducted)
