"""The only code that spends: one question, at most one POST, written down before it leaves."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.client.answer import Answer, answer_from, as_reused
from mcp_enrichment.client.memory import Asked, State, fingerprint, identity
from mcp_enrichment.client.retrying import retrying
from mcp_enrichment.client.spending import ACCEPTED, CHARGED, Seen
from mcp_enrichment.client.wire import POST_SECONDS, check_email
from mcp_enrichment.contract.errors import (
    BadAnswer,
    EnrichmentError,
    IdempotencyConflict,
    InvalidArguments,
    NotConfirmed,
    OutcomeUnknown,
    ServiceUnavailable,
    StorageFailed,
    UnknownEnrichment,
    UnusableAddress,
)
from mcp_enrichment.contract.explanation import Explanation
from mcp_enrichment.contract.models import EmailType, Reason, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mcp_enrichment.client.memory import Memory
    from mcp_enrichment.client.pushes import Pushes
    from mcp_enrichment.client.spending import Budget
    from mcp_enrichment.client.wire import Posted, Wire
    from mcp_enrichment.contract.models import Credits, EnrichmentRequest

logger = logging.getLogger(__name__)

ASK_SECONDS = 15.0
"""How long a POST that was surely refused or never sent is tried again."""
OTHERS_SECONDS = 10.0
"""How long another process that is asking the same is waited for."""
ABANDONED_SECONDS = ASK_SECONDS + POST_SECONDS + 15.0
"""After so long a process that was asking is taken to have died in the middle."""
LAG_SECONDS = 60.0
"""A request younger than this that the server does not know is not forgotten: it may lag behind."""
LOOK_EVERY = 0.1

_FORGOTTEN = Explanation(
    happened="The service no longer knows the earlier request for this profile, so its answer is "
    "lost.",
    money="Nothing was charged by this call.",
    for_person="Ask again for a new lookup.",
    for_assistant="Call request_email_enrichment again for a new lookup.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked, and the hash under which it is remembered."""

    identity: str
    body: EnrichmentRequest
    may_spend: bool
    """Whether a credit may be spent on it, where the memory has no answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """Answers a question from the memory where it can, and by one POST where it must."""

    wire: Wire
    memory: Memory
    budget: Budget
    keep_misses: float
    """Seconds for which a miss is answered from the memory."""
    honours_keys: bool
    """The server is known to honour `Idempotency-Key`, before any answer of it says so."""
    read: Callable[[str], Awaitable[Answer]] = field(repr=False)
    """Reads a request by its id, with retries."""
    credits: Callable[[], Awaitable[Credits]] = field(repr=False)
    """Reads the balance, with retries."""
    pushes: Pushes | None = None
    """Where ends are told to, where somebody listens."""

    async def ask(self, question: Question, *, refresh: bool) -> Answer:
        """The request for this question: an earlier one, or a new one."""
        while True:
            seen = await self.memory.recall(question.identity)
            if seen and (answer := await self._from_memory(question, seen, refresh=refresh)):
                return answer
            if not question.may_spend:
                raise NotConfirmed
            asked = self._newly(question)
            balance, repeatable = await self._balance_seen(), await self._repeatable()
            if await self.memory.claim(asked, over=seen, budget=self.budget, seen=balance):
                return await self._post(question, asked, before=seen, repeatable=repeatable)

    async def recognise(self, answer: Answer) -> Asked | None:
        """The question of unknown outcome that this answer turns out to be of, if there is one.

        A profile and a type tell which; before the type is known, the caller's own reference does.
        """
        for kind in (answer.type,) if answer.type else EmailType:
            hashed = identity(self.memory.account, answer.linkedin_url or "", kind)
            asked = await self.memory.recall(hashed)
            if asked and asked.enrichment_id is None and _is_of(answer, asked):
                await self.memory.note_accepted(asked, answer.id)
                return await self.memory.recall(hashed)
        return None

    def _newly(self, question: Question) -> Asked:
        return Asked(
            identity=question.identity,
            account=self.memory.account,
            type=question.body.type,
            key=uuid.uuid4().hex,
            reference=_reference(question.body.external_id),
            asked_at=time.time(),
        )

    async def _balance_seen(self) -> Seen | None:
        if self.budget.reserve is None:
            return None
        counted = await self.memory.counted()
        credits_now = await self.credits()
        # One that holds a credit for each running request has taken all accepted ones off already.
        off = (ACCEPTED, CHARGED) if credits_now.held is not None else (CHARGED,)
        reflected = frozenset(key for key, state in counted.items() if state in off)
        return Seen(balance=credits_now.balance, reflected=reflected)

    async def _from_memory(
        self, question: Question, seen: Asked, *, refresh: bool
    ) -> Answer | None:
        """The remembered answer; None where the question is to be asked anew."""
        if seen.state is State.ACCEPTED:
            return await self._earlier(seen, refresh=refresh)
        if await self._repeatable():
            return await self._repeat(question, seen, refresh=refresh)
        if _may_still_be_asked(seen):
            return await self._of_other_process(question, seen, refresh=refresh)
        if refresh:
            return None
        raise OutcomeUnknown

    async def _earlier(self, seen: Asked, *, refresh: bool) -> Answer | None:
        if seen.enrichment_id is None or (seen.status and (refresh or not self._keeps(seen))):
            return None
        try:
            answer = await self.read(seen.enrichment_id)
        except UnknownEnrichment:
            if is_young(seen):
                raise ServiceUnavailable from None
            await self.memory.put_back(seen, None)
            raise UnknownEnrichment(_FORGOTTEN) from None
        if answer.reason in (Reason.ERASED, Reason.EXPIRED):
            return None  # what it had found is no more: that is no miss
        now = replace(seen, status=answer.status, ended_at=seen.ended_at or time.time())
        # What the memory knows to have ended was paid for then, whatever the server says of it now.
        if answer.is_final and not seen.status and (refresh or not self._keeps(now)):
            return None
        return as_reused(replace(answer, asked_at=seen.asked_at, type=answer.type or seen.type))

    async def _repeat(self, question: Question, seen: Asked, *, refresh: bool) -> Answer | None:
        """Send the same POST again, with its key, to a server that knows it by that."""
        try:
            return await self._post(question, seen, before=seen, repeatable=True)
        except IdempotencyConflict as error:  # it arrived, with another callback or external_id
            if refresh:
                return None
            raise OutcomeUnknown from error

    async def _of_other_process(
        self, question: Question, seen: Asked, *, refresh: bool
    ) -> Answer | None:
        now: Asked | None = seen
        with anyio.move_on_after(OTHERS_SECONDS):
            while now == seen:
                await anyio.sleep(LOOK_EVERY)
                now = await self.memory.recall(seen.identity)
        if now == seen:
            raise ServiceUnavailable
        return await self._from_memory(question, now, refresh=refresh) if now else None

    async def _repeatable(self) -> bool:
        """Whether a POST may be sent again with its key."""
        return self.honours_keys or await self.memory.honours_keys()

    async def _post(
        self, question: Question, asked: Asked, *, before: Asked | None, repeatable: bool
    ) -> Answer:
        try:
            posted = await retrying(
                lambda: self._post_once(question.body, asked.key),
                seconds=ASK_SECONDS,
                may_repeat=lambda error: repeatable and isinstance(error, OutcomeUnknown),
            )
        except OutcomeUnknown:
            with _told_all_the_same():
                await self.memory.note_unknown(asked)
            raise
        except EnrichmentError:
            with _told_all_the_same():
                await self.memory.put_back(asked, before)
            raise
        with _told_all_the_same():
            await self.memory.note_accepted(asked, posted.enrichment.id)
            if posted.honours_keys and not repeatable:
                await self.memory.note_honours_keys()
        try:
            check_email(posted.enrichment)
        except BadAnswer as error:
            raise UnusableAddress from error
        answer = answer_from(posted.enrichment)
        return replace(answer, asked_at=asked.asked_at, type=answer.type or asked.type)

    async def _post_once(self, body: EnrichmentRequest, key: str) -> Posted:
        """One POST, with the address that its end is to be pushed to where there is one."""
        if self.pushes is None or (pushed := self.pushes.addressed(body, key)) is body:
            return await self.wire.post(body, key=key)
        try:
            posted = await self.wire.post(pushed, key=key)
        except IdempotencyConflict:
            raise
        except InvalidArguments:  # it may be the address: nothing was started
            posted = await self.wire.post(body, key=key)
            self.pushes.refused()
            return posted
        await self.pushes.expect(key, posted.enrichment)
        return posted

    def _keeps(self, seen: Asked) -> bool:
        if seen.status is Status.NOT_FOUND:
            return time.time() - (seen.ended_at or seen.asked_at) < self.keep_misses
        return seen.status is Status.COMPLETED or not (seen.status and seen.status.is_final)


def is_young(asked: Asked) -> bool:
    """Whether a server that does not know the request may only lag behind itself."""
    return 0 <= time.time() - asked.asked_at < LAG_SECONDS


def _may_still_be_asked(asked: Asked) -> bool:
    is_recent = 0 <= time.time() - asked.asked_at < ABANDONED_SECONDS
    return asked.state is State.ASKING and is_recent


def _is_of(answer: Answer, asked: Asked) -> bool:
    if _may_still_be_asked(asked):
        return False
    named = _reference(answer.external_id)
    if named and asked.reference:
        return named == asked.reference
    return answer.type is asked.type


def _reference(external_id: str | None) -> str | None:
    return external_id and fingerprint(external_id)


@contextmanager
def _told_all_the_same() -> Iterator[None]:
    """What came of a POST is told, even where it cannot be written down any more.

    The row then stays as it was before the POST left, and is later taken for an unknown outcome.
    """
    try:
        yield
    except StorageFailed:
        logger.warning("the outcome of a request could not be written to the memory")
