"""The people of a world: each asks one question, and again until it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.errors import (
    BudgetExceeded,
    CreditCapReached,
    EnrichmentError,
    InsufficientCredits,
    OutcomeUnknown,
)

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.simulation.plan import Question
    from tests.simulation.world import World

AGAIN_SECONDS = 60.0
"""Seconds until a person who got an error, or nothing final, asks again."""
LASTING = (BudgetExceeded, CreditCapReached, InsufficientCredits, OutcomeUnknown)
"""Answers that asking again does not change."""


class Asking:
    """A question with its answers so far."""

    def __init__(self, world: World, question: Question) -> None:
        self.world, self.question = world, question
        self.results: list[EnrichmentResult] = []
        self.errors: list[EnrichmentError] = []
        self.is_tried = False
        self._is_begun = False

    @property
    def is_satisfied(self) -> bool:
        """Whether the last answer is final, or an error that stays."""
        if self.results and self.results[-1].is_final:
            return True
        return bool(self.errors) and isinstance(self.errors[-1], LASTING)

    async def run(self, client: EnrichmentClient) -> None:
        """Ask until the answer is final. A person whose face died asks again at the next one."""
        if not self._is_begun:
            await anyio.sleep(self.question.at)
        self._is_begun = True
        while not self.is_satisfied:
            await self._ask(client)
            self.is_tried = True
            if not self.is_satisfied:
                await anyio.sleep(AGAIN_SECONDS)

    async def _ask(self, client: EnrichmentClient) -> None:
        trace, question = self.world.trace, self.question
        trace(f"person {question.number} asks for {question.person} ({question.type})")
        is_first = not self.is_tried
        patience = question.patience if is_first else None
        try:
            with anyio.move_on_after(patience) as waiting:
                result = await self._request(client, is_first=is_first)
        except EnrichmentError as error:
            self.errors.append(error)
            trace(f"person {question.number} gets an error", type(error).__name__)
            return
        if waiting.cancelled_caught:
            trace(f"person {question.number} goes away")
        elif result:
            self.results.append(result)
            trace(
                f"person {question.number} gets {result.status}",
                f"{result.email or result.reason or ''} {'reused' if result.reused else ''}",
            )

    async def _request(
        self, client: EnrichmentClient, *, is_first: bool
    ) -> EnrichmentResult | None:
        question = self.question
        if question.is_list:
            async for row in client.enrich_many(
                [question.profile], question.type, max_credits=1, list_id=f"l{question.number}"
            ):
                if row.error:
                    raise row.error
                return row.result
            return None
        return await client.request(
            question.profile,
            question.type,
            callback_url=f"https://hooks.example/{question.number}"
            if question.has_callback
            else None,
            external_id=f"ref-{question.number}",
            force_refresh=question.refresh and is_first,
            wait=question.wait,
        )
