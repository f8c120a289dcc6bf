"""The people of a world: each asks a question, and again until it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.contract.errors import (
    BudgetExceeded,
    CreditCapReached,
    EnrichmentError,
    InsufficientCredits,
    OutcomeUnknown,
)
from tests.simulation.plan import PROFILE, Asks
from tests.support.invariants.evidence import Question as Asked
from tests.support.invariants.evidence import Told

if TYPE_CHECKING:
    from mcp_enrichment.client.results import EnrichmentResult
    from tests.simulation.plan import Question
    from tests.simulation.world import World

AGAIN_SECONDS = 20.0
"""Seconds until a person who got an error, or nothing final, asks again."""
LASTING = (BudgetExceeded, CreditCapReached, InsufficientCredits, OutcomeUnknown)
"""Errors that asking again does not change."""
CAP = 1
"""The credits that a list may cost: fewer than its rows."""


class Asking:
    """A question about one person, with its answers so far."""

    def __init__(self, world: World, question: Question, person: str) -> None:
        self.world, self.question, self.person = world, question, person
        self.is_tried = False
        """An answer has come, or the person has gone away once."""
        self.is_asking = False
        self.is_satisfied = False
        """The answer is final, or an error that stays."""
        self.has_id = False
        self.is_begun = False
        self._is_asked_again = not question.again

    @property
    def name(self) -> str:
        return f"person {self.question.number}"

    @property
    def may_post(self) -> bool:
        """Whether a POST may be on its way, also of a person who has gone away meanwhile."""
        is_open = self.is_begun and not (self.has_id or self.is_satisfied)
        return self.is_asking or is_open

    @property
    def asked(self) -> Asked:
        """The question, as the evidence knows it."""
        team_id = self.world.team_of(self.question.face)
        return Asked(team_id, PROFILE + self.person, self.question.type)

    @property
    def reference(self) -> str:
        return f"{self.person}-{self.question.number}"

    @property
    def callback_url(self) -> str | None:
        where = f"https://hooks.example/{self.person}/{self.question.number}"
        return where if self.question.has_callback else None

    async def run(self, client: Any) -> None:
        """Ask until the answer is final. A person whose face died asks again at the next one."""
        if not self.is_begun:
            await anyio.sleep(self.question.at)
        self.is_begun = True
        while not self.is_satisfied:
            if self.person in self.world.gone:
                self.is_tried = self.is_satisfied = True
                return
            await self._ask(client)
            if not self.is_satisfied:
                await anyio.sleep(AGAIN_SECONDS)

    async def _ask(self, client: Any) -> None:
        patience = None if self.is_tried else self.question.patience
        began = self.world.wall_time()
        self.world.trace(f"{self.name} asks for {self.person} ({self.question.type})")
        self.is_asking = True
        try:
            with anyio.move_on_after(patience) as waiting:
                result = await self.request(client)
        except EnrichmentError as error:
            self.was_told(error, began)
        else:
            if waiting.cancelled_caught:
                self.world.trace(f"{self.name} goes away")
            else:
                self.was_told(result, began)
        self.is_tried, self.is_asking = True, False

    async def request(self, client: Any) -> EnrichmentResult:
        """Ask once."""
        refresh = self.question.refresh and not self.is_tried
        self.world.truth.payments[self.asked] += refresh
        return await client.request(
            PROFILE + self.person,
            self.question.type,
            callback_url=self.callback_url,
            external_id=self.reference,
            force_refresh=refresh,
            wait=self.question.wait,
        )

    def was_told(self, answer: EnrichmentResult | EnrichmentError, began: float) -> None:
        """Note an answer."""
        if isinstance(answer, EnrichmentError):
            self.world.trace(f"{self.name} gets an error", type(answer).__name__)
            self.is_satisfied = isinstance(answer, LASTING)
            told = Told(
                caller=self.name,
                question=self.asked,
                error=answer.code,
                is_unknown=self.world.truth.may_have_lost_a_post,
                asked_at=began,
            )
        else:
            detail = f"{answer.email or answer.reason or ''} {'reused' if answer.reused else ''}"
            self.world.trace(f"{self.name} gets {answer.status} for {self.person}", detail.strip())
            self.has_id = True
            self.is_satisfied, self._is_asked_again = (
                answer.is_final and self._is_asked_again,
                self._is_asked_again or answer.is_final,
            )
            told = Told(
                caller=self.name,
                question=self.asked,
                request_id=answer.id,
                status=answer.status,
                email=answer.email,
                reason=answer.reason,
                asked_at=began,
            )
        self.world.truth.told.append(told)


class ListAsking:
    """A list of people, which may cost fewer credits than it has rows."""

    def __init__(self, world: World, question: Question) -> None:
        self.world, self.question = world, question
        self.rows = [Asking(world, question, person) for person in question.people]
        self.is_tried = False

    @property
    def is_satisfied(self) -> bool:
        return all(row.is_satisfied for row in self.rows)

    async def run(self, client: Any) -> None:
        """Run the list again until each row has an answer."""
        while not self.is_satisfied:
            try:
                with anyio.move_on_after(None if self.is_tried else self.question.patience):
                    await self._run_once(client)
            except EnrichmentError as error:
                self.world.trace("the list ends with an error", type(error).__name__)
            self.is_tried = True
            if not self.is_satisfied:
                await anyio.sleep(AGAIN_SECONDS)
        self.is_tried = True  # a face that died had perhaps just got the last answer

    async def _run_once(self, client: Any) -> None:
        began = self.world.wall_time()
        self.world.trace("somebody runs a list")
        async for row in client.enrich_many(
            [PROFILE + each.person for each in self.rows],
            self.question.type,
            external_ids=[each.reference for each in self.rows],
            max_credits=CAP,
            list_id="a-list",
        ):
            asking = self.rows[row.index]
            if not asking.is_satisfied and (answer := row.result or row.error):
                asking.was_told(answer, began)


def askings_of(world: World, question: Question) -> Asking | ListAsking:
    """The person, or the list, that asks this."""
    if question.how is Asks.LIST:
        return ListAsking(world, question)
    return Asking(world, question, question.people[0])
