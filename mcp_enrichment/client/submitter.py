"""Decides what a question comes to: a remembered answer, one POST, or an earlier POST again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.client.http_api import MAX_IN_FLIGHT, POST_SECONDS
from mcp_enrichment.client.post_sender import POST_RETRY_SECONDS, Submission, hash_external_id
from mcp_enrichment.client.results import EnrichmentResult, as_reused
from mcp_enrichment.client.state.records import RequestRecord, StoredRequest, SubmitState, dedup_key
from mcp_enrichment.client.state.spending import ACCEPTED, CHARGED, BalanceSnapshot
from mcp_enrichment.contract.errors import (
    InvalidArguments,
    NotConfirmed,
    OutcomeUnknown,
    ServiceUnavailable,
    UnknownEnrichment,
)
from mcp_enrichment.contract.explanation import Explanation
from mcp_enrichment.contract.models import EmailType, Reason, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_enrichment.client.post_sender import PostSender
    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.client.state.spending import Budget
    from mcp_enrichment.contract.models import Credits

CONCURRENT_SEND_SECONDS = 10.0
"""How long another process that is asking the same is waited for."""
SEND_LEASE_SECONDS = POST_RETRY_SECONDS + POST_SECONDS + 15.0
"""After so long a process that was asking is taken to be stopped in the middle, though it lives."""
REPLICATION_LAG_SECONDS = 60.0
"""A request younger than this that the server does not know is not forgotten: it may lag behind."""
CHECK_INTERVAL = 0.1

_FORGOTTEN = Explanation(
    happened="The service no longer knows the earlier request for this profile, so its answer is "
    "lost.",
    money="Nothing was charged by this call.",
    for_person="Ask again for a new lookup.",
    for_assistant="Call request_email_enrichment again for a new lookup.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitter:
    """Answers a question from the memory where it can, and by one POST where it must."""

    posting: PostSender
    memory: RequestStore
    budget: Budget
    keep_misses: float
    """Seconds for which a miss is answered from the memory."""
    supports_idempotency: bool
    """The server is known to honour `Idempotency-Key`, before any answer of it says so."""
    read: Callable[[str], Awaitable[EnrichmentResult]] = field(repr=False)
    """Reads a request by its id, with retries."""
    credits: Callable[[], Awaitable[Credits]] = field(repr=False)
    """Reads the balance, with retries."""
    turns: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(2 * MAX_IN_FLIGHT), repr=False
    )
    """A question is written down shortly before its POST can leave, not a long queue earlier."""

    async def ask(self, question: Submission, *, refresh: bool) -> EnrichmentResult:
        """The request for this question: an earlier one, or a new one."""
        while True:
            known = await self._when_not_being_sent(question.dedup_key)
            if known.record and (
                answer := await self._from_memory(question, known, known.record, refresh=refresh)
            ):
                return answer
            if not question.may_spend:
                raise NotConfirmed
            if answer := await self._newly(question, known):
                return answer

    async def match_result(self, answer: EnrichmentResult) -> RequestRecord | None:
        """The question of unknown outcome that this answer turns out to be of, if there is one.

        A profile and a type tell which; before the type is known, the caller's own reference does.
        """
        for kind in (answer.type,) if answer.type else EmailType:
            hashed = dedup_key(self.memory.account, answer.linkedin_url or "", kind)
            known = await self.memory.load(hashed)
            record = known.record
            if record and record.enrichment_id is None and _is_of(answer, known, record):
                await self.memory.mark_accepted(record, answer.id)
                return await self.memory.find(hashed)
        return None

    async def _when_not_being_sent(self, dedup_key: str) -> StoredRequest:
        """What is known of a question, once no living process sends its POST.

        Raises `ServiceUnavailable` where one does so for longer than can be waited.
        """
        with anyio.move_on_after(CONCURRENT_SEND_SECONDS):
            while _is_being_sent(known := await self.memory.load(dedup_key)):  # noqa: ASYNC110 (another process ends it)
                await anyio.sleep(CHECK_INTERVAL)
            return known
        raise ServiceUnavailable

    async def _newly(self, question: Submission, known: StoredRequest) -> EnrichmentResult | None:
        async with self.turns:
            balance, repeatable = await self._balance_seen(), await self._repeatable()
            return await self.posting.first(
                question, expected=known, budget=self.budget, seen=balance, repeatable=repeatable
            )

    async def _balance_seen(self) -> BalanceSnapshot | None:
        if self.budget.reserve is None:
            return None
        credit_states = await self.memory.credit_states()
        credits_now = await self.credits()
        # One that holds a credit for each running request has taken all accepted ones off already.
        off = (ACCEPTED, CHARGED) if credits_now.held is not None else (CHARGED,)
        reflected = frozenset(key for key, state in credit_states.items() if state in off)
        return BalanceSnapshot(balance=credits_now.balance, reflected=reflected)

    async def _from_memory(
        self, question: Submission, known: StoredRequest, seen: RequestRecord, *, refresh: bool
    ) -> EnrichmentResult | None:
        """The remembered answer; None where the question is to be asked anew."""
        if seen.state is SubmitState.ACCEPTED:
            return await self._earlier(seen, refresh=refresh)
        if await self._repeatable():
            return await self._repeat(question, known, refresh=refresh)
        if refresh:
            return None
        raise OutcomeUnknown

    async def _earlier(self, seen: RequestRecord, *, refresh: bool) -> EnrichmentResult | None:
        if seen.enrichment_id is None or (seen.status and (refresh or not self._keeps(seen))):
            return None
        try:
            answer = await self.read(seen.enrichment_id)
        except UnknownEnrichment:
            if is_young(seen):
                raise ServiceUnavailable from None
            await self.memory.release(seen, None, StoredRequest())
            raise UnknownEnrichment(_FORGOTTEN) from None
        if answer.reason in (Reason.ERASED, Reason.EXPIRED):
            return None  # what it had found is no more: that is no miss
        now = replace(seen, status=answer.status, ended_at=seen.ended_at or time.time())
        # What the memory knows to have ended was paid for then, whatever the server says of it now.
        if answer.is_final and not seen.status and (refresh or not self._keeps(now)):
            return None
        return as_reused(replace(answer, asked_at=seen.asked_at, type=answer.type or seen.type))

    async def _repeat(
        self, question: Submission, known: StoredRequest, *, refresh: bool
    ) -> EnrichmentResult | None:
        try:
            async with self.turns:
                return await self.posting.again(question, known)
        except InvalidArguments as error:  # it is of another caller, or had another body
            if refresh:
                return None
            raise OutcomeUnknown from error

    async def _repeatable(self) -> bool:
        """Whether a POST may be sent again with its key."""
        return self.supports_idempotency or await self.memory.supports_idempotency()

    def _keeps(self, seen: RequestRecord) -> bool:
        if seen.status is Status.NOT_FOUND:
            return time.time() - (seen.ended_at or seen.asked_at) < self.keep_misses
        return seen.status is Status.COMPLETED or not (seen.status and seen.status.is_final)


def is_young(record: RequestRecord) -> bool:
    """Whether a server that does not know the request may only lag behind itself."""
    return 0 <= time.time() - record.asked_at < REPLICATION_LAG_SECONDS


def _is_being_sent(known: StoredRequest) -> bool:
    """Whether the outcome of its POST is still awaited by who has sent it."""
    if known.record is None or known.record.state is not SubmitState.ASKING:
        return False
    # An older version of the program writes no post, and holds no lock.
    since = known.post.since if known.post else known.record.asked_at
    lives = known.is_being_sent or known.post is None
    return lives and 0 <= time.time() - since < SEND_LEASE_SECONDS


def _is_of(answer: EnrichmentResult, known: StoredRequest, record: RequestRecord) -> bool:
    if _is_being_sent(known):
        return False
    named = hash_external_id(answer.external_id)
    if named and record.reference:
        return named == record.reference
    return answer.type is record.type
