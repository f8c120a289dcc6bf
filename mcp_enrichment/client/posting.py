"""Sends the POST of a question, and writes down what comes of it."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcp_enrichment.client.answer import Answer, answer_from, as_reused
from mcp_enrichment.client.asked import Asked, Known, State, fingerprint
from mcp_enrichment.client.posts import Post
from mcp_enrichment.client.retrying import retrying
from mcp_enrichment.client.send_lock import sending
from mcp_enrichment.client.wire import check_email
from mcp_enrichment.contract.errors import (
    BadAnswer,
    EnrichmentError,
    IdempotencyConflict,
    InvalidArguments,
    OutcomeUnknown,
    StorageFailed,
    UnusableAddress,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.client.memory import Memory
    from mcp_enrichment.client.pushes import Pushes
    from mcp_enrichment.client.sent_body import BodySeal
    from mcp_enrichment.client.spending import Budget, Seen
    from mcp_enrichment.client.wire import Posted, Wire
    from mcp_enrichment.contract.models import EnrichmentRequest

logger = logging.getLogger(__name__)

ASK_SECONDS = 15.0
"""How long a POST that was surely refused or never sent is tried again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked, and the hash under which it is remembered."""

    identity: str
    body: EnrichmentRequest
    may_spend: bool
    """Whether a credit may be spent on it, where the memory has no answer."""


@dataclass(kw_only=True, slots=True)
class _Sending:
    """One POST, and its repeats."""

    asked: Asked
    post: Post
    before: Known
    """What was known before it, which holds again where it is refused."""
    repeatable: bool
    """The server knows a repeat by its key."""
    plain: EnrichmentRequest
    """What the caller asked for."""
    body: EnrichmentRequest
    """The same, with the address that its end is to be pushed to where there is one."""
    is_own: bool = True
    """It is the question of this caller, and not of one who has died."""

    @property
    def is_repeat(self) -> bool:
        """Somebody has sent it before, and its credit is counted."""
        return self.before.asked is not None and self.before.asked.key == self.asked.key


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """Every POST is written down before it leaves, under a lock that dies with its sender."""

    wire: Wire
    memory: Memory
    seal: BodySeal = field(repr=False)
    pushes: Pushes | None = None
    """Where ends are told to, where somebody listens."""

    async def first(
        self,
        question: Question,
        *,
        over: Known,
        budget: Budget,
        seen: Seen | None,
        repeatable: bool,
    ) -> Answer | None:
        """Ask it; None where somebody was faster: `over` is what was known of it."""
        asked = self._newly(question)
        body = self._addressed(question.body, asked.key)
        async with sending(self.memory.path) as sender:
            post = _post(asked, sender, self.seal.close(body))
            if not await self.memory.claim(asked, post, over=over, budget=budget, seen=seen):
                return None
            return await self._answered(
                _Sending(
                    asked=asked,
                    post=post,
                    before=over,
                    repeatable=repeatable,
                    plain=question.body,
                    body=body,
                )
            )

    async def again(self, question: Question, known: Known) -> Answer | None:
        """Send the same POST again, with its key and its body, to a server that knows it by its
        key, after the process that sent it has died or has left its outcome unknown; None where
        somebody was faster."""
        assert known.asked  # noqa: S101 (the caller has seen it)
        asked = replace(known.asked, state=State.ASKING)
        body = self._kept(question, known.post) or self._addressed(question.body, asked.key)
        plain = self._plain(body, asked.key)
        async with sending(self.memory.path) as sender:
            post = _post(asked, sender, self.seal.close(body))
            if not await self.memory.take_over(asked, post, over=known):
                return None
            return await self._answered(
                _Sending(
                    asked=asked,
                    post=post,
                    before=known,
                    repeatable=True,
                    plain=plain,
                    body=body,
                    is_own=_asks_for(question.body, plain),
                )
            )

    def _newly(self, question: Question) -> Asked:
        return Asked(
            identity=question.identity,
            account=self.memory.account,
            type=question.body.type,
            key=uuid.uuid4().hex,
            reference=reference(question.body.external_id),
            asked_at=time.time(),
        )

    async def _answered(self, it: _Sending) -> Answer:
        try:
            posted = await self._posted(it)
        except OutcomeUnknown:
            with _told_all_the_same():
                await self.memory.note_unknown(it.asked, it.post)
            raise
        except EnrichmentError as error:
            await self._refused(it, error)
            raise
        is_first = True
        with _told_all_the_same():
            is_first = await self.memory.note_accepted(it.asked, posted.enrichment.id)
            if posted.honours_keys and not it.repeatable:
                await self.memory.note_honours_keys()
        answer = _answer(it, posted)
        return answer if is_first and it.is_own else as_reused(answer)

    async def _refused(self, it: _Sending, error: EnrichmentError) -> None:
        if isinstance(error, IdempotencyConflict) and not it.is_repeat:
            # Its key is ours alone: what the server knows it by is this very question.
            with _told_all_the_same():
                await self.memory.note_unknown(it.asked, it.post)
            raise OutcomeUnknown from error
        with _told_all_the_same():
            await self.memory.put_back(it.asked, it.post, it.before)

    async def _posted(self, it: _Sending) -> Posted:
        """The answer to a POST, which is tried again where that costs nothing twice."""
        may_have_arrived = False

        async def once() -> Posted:
            nonlocal may_have_arrived
            try:
                return await self._sent(it)
            except OutcomeUnknown:
                may_have_arrived = True
                raise

        try:
            return await retrying(
                once,
                seconds=ASK_SECONDS,
                may_repeat=lambda error: it.repeatable and isinstance(error, OutcomeUnknown),
            )
        except EnrichmentError as error:
            # A refusal of the repeat says nothing about the first try, which may have arrived.
            if may_have_arrived and not isinstance(error, OutcomeUnknown):
                raise OutcomeUnknown(retry_after=error.retry_after) from error
            raise

    async def _sent(self, it: _Sending) -> Posted:
        """One POST, and a second one without our address where that may be what is refused."""
        if self.pushes is None or it.body is it.plain:
            return await self.wire.post(it.body, key=it.asked.key)
        try:
            posted = await self.wire.post(it.body, key=it.asked.key)
        except IdempotencyConflict:
            raise
        except InvalidArguments:  # it may be the address: nothing was started
            await self.memory.note_body(it.post, self.seal.close(it.plain))
            it.body = it.plain
            posted = await self.wire.post(it.plain, key=it.asked.key)
            self.pushes.refused()
            return posted
        await self.pushes.expect(it.asked.key, posted.enrichment)
        return posted

    def _kept(self, question: Question, post: Post | None) -> EnrichmentRequest | None:
        """The body that was sent, where it is remembered."""
        return self.seal.open(post.body, question.body) if post else None

    def _addressed(self, body: EnrichmentRequest, key: str) -> EnrichmentRequest:
        return self.pushes.addressed(body, key) if self.pushes else body

    def _plain(self, body: EnrichmentRequest, key: str) -> EnrichmentRequest:
        """The body without the address that is ours."""
        plain = body.model_copy(update={"callback_url": None})
        return plain if body != plain and self._addressed(plain, key) == body else body


def reference(external_id: str | None) -> str | None:
    """The hash by which a caller's own reference is recognised."""
    return external_id and fingerprint(external_id)


def _post(asked: Asked, sender: str, body: str) -> Post:
    return Post(identity=asked.identity, key=asked.key, sender=sender, since=time.time(), body=body)


def _asks_for(asked: EnrichmentRequest, sent: EnrichmentRequest) -> bool:
    is_called = asked.callback_url in (None, sent.callback_url)
    return is_called and asked.external_id == sent.external_id


def _answer(it: _Sending, posted: Posted) -> Answer:
    try:
        check_email(posted.enrichment)
    except BadAnswer as error:
        raise UnusableAddress from error
    answer = answer_from(posted.enrichment)
    return replace(
        answer,
        asked_at=it.asked.asked_at,
        type=answer.type or it.asked.type,
        callback_url=it.plain.callback_url,
    )


@contextmanager
def _told_all_the_same() -> Iterator[None]:
    """Report the outcome of a POST even if the memory cannot be written any more.

    The row then stays as it was before the POST left, and later counts as an unknown outcome.
    """
    try:
        yield
    except StorageFailed:
        logger.warning("the outcome of a request could not be written to the memory")
