"""Requests the email of each person of a list, and keeps and counts the answers."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
import click

from mcp_enrichment.cli.list_table import OPEN, Answer
from mcp_enrichment.contract.models import Status
from mcp_enrichment.mcp.lists import state_without_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_enrichment.cli.list_table import ListTable
    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.lists import ListRow
    from mcp_enrichment.client.state.spending import CreditCap
    from mcp_enrichment.contract.errors import EnrichmentError
    from mcp_enrichment.contract.models import EmailType

IDLE_SECONDS = 1200.0
"""Seconds without any answer after which a run ends. The lookups go on."""
STOPPING = "Waiting for the answers to what is being sent. Ctrl-C again ends at once."


class ListLookup:
    """One run over a list, with its counts of people."""

    def __init__(self, table: ListTable) -> None:
        self._table = table
        self._by_status = Counter[str]()
        self.people = table.people
        self.spent = 0
        """Credits charged in this run."""
        self.unknown = 0
        """Requests of which nobody knows whether they were charged."""
        self.refusal: EnrichmentError | None = None
        """The error of the last person without a result."""

    @property
    def found(self) -> int:
        return self._by_status[Status.COMPLETED]

    @property
    def missed(self) -> int:
        return self._by_status[Status.NOT_FOUND]

    @property
    def failed(self) -> int:
        return self._by_status[Status.FAILED]

    @property
    def answered(self) -> int:
        return self._by_status.total()

    @property
    def open(self) -> int:
        """People without a final answer."""
        return self.people - self.found - self.missed - self.failed

    async def run(
        self,
        client: EnrichmentClient,
        email_type: EmailType,
        cap: CreditCap,
        show: Callable[[ListLookup], None],
    ) -> None:
        """Keep each answer; `show` is called after it. At Ctrl-C, and at an error, it waits until
        what is being sent is answered."""
        rows = client.enrich_many(
            self._table.profiles(), email_type, max_credits=cap.max_credits, list_id=cap.list_id
        )
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + IDLE_SECONDS) as idle:
                async with aclosing(rows):
                    async for row in rows:
                        self._keep(row)
                        show(self)
                        idle.deadline = anyio.current_time() + IDLE_SECONDS
        except anyio.get_cancelled_exc_class():
            click.echo(f"\n{STOPPING}", err=True)
            raise
        finally:
            await client.stop()

    def _keep(self, row: ListRow) -> None:
        answer = _answer(row)
        self._table.answer(row.index, answer)
        self._by_status[answer.status] += 1
        self.spent += answer.credits or 0
        self.unknown += row.error is not None and row.error.charged is None
        self.refusal = row.error or self.refusal


def _answer(row: ListRow) -> Answer:
    result = row.result
    if result is None:
        status, reason = state_without_result(row.error)
        unknown = row.error is not None and row.error.charged is None
        return Answer(None, status, None, None, None, None if unknown else 0, reason)
    return Answer(
        email=result.email,
        status=result.status if result.is_final else OPEN,
        source=result.source,
        verification=result.verification,
        checked_at=result.checked_at,
        credits=result.credits_charged,
        reason=result.reason,
    )
