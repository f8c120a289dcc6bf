"""Sends the POST of a question, and writes down what comes of it."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcp_enrichment.client.http_api import validate_email
from mcp_enrichment.client.results import EnrichmentResult, as_reused, from_response
from mcp_enrichment.client.retry_call import with_retries
from mcp_enrichment.client.state.pending_posts import PendingPost
from mcp_enrichment.client.state.records import (
    RequestRecord,
    StoredRequest,
    SubmitState,
    hash_parts,
)
from mcp_enrichment.client.state.send_lock import hold_send_lock
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

    from mcp_enrichment.client.http_api import HTTPApi, PostResult
    from mcp_enrichment.client.state.body_cipher import BodyCipher
    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.client.state.spending import BalanceSnapshot, Budget
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.contract.models import EnrichmentRequest

logger = logging.getLogger(__name__)

POST_RETRY_SECONDS = 15.0
"""How long a POST that was surely refused or never sent is tried again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What is asked, and the hash under which it is remembered."""

    dedup_key: str
    body: EnrichmentRequest
    may_spend: bool
    """Whether a credit may be spent on it, where the memory has no answer."""


@dataclass(kw_only=True, slots=True)
class _Sending:
    """One POST, and its repeats."""

    record: RequestRecord
    post: PendingPost
    before: StoredRequest
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
        return self.before.record is not None and self.before.record.key == self.record.key


@dataclass(frozen=True, kw_only=True, slots=True)
class PostSender:
    """Every POST is written down before it leaves, under a lock that dies with its sender."""

    wire: HTTPApi
    memory: RequestStore
    cipher: BodyCipher = field(repr=False)
    pushes: Webhooks | None = None
    """Where ends are told to, where somebody listens."""

    async def first(
        self,
        question: Submission,
        *,
        expected: StoredRequest,
        budget: Budget,
        seen: BalanceSnapshot | None,
        repeatable: bool,
    ) -> EnrichmentResult | None:
        """Ask it; None where somebody was faster: `over` is what was known of it."""
        record = self._newly(question)
        body = self._addressed(question.body, record.key)
        async with hold_send_lock(self.memory.path) as sender:
            post = _post(record, sender, self.cipher.encrypt(body))
            if not await self.memory.reserve(
                record, post, expected=expected, budget=budget, seen=seen
            ):
                return None
            return await self._answered(
                _Sending(
                    record=record,
                    post=post,
                    before=expected,
                    repeatable=repeatable,
                    plain=question.body,
                    body=body,
                )
            )

    async def again(self, question: Submission, known: StoredRequest) -> EnrichmentResult | None:
        """Send the same POST again, with its key and its body, to a server that knows it by its
        key, after the process that sent it has died or has left its outcome unknown; None where
        somebody was faster."""
        assert known.record  # noqa: S101 (the caller has seen it)
        record = replace(known.record, state=SubmitState.ASKING)
        body = self._kept(question, known.post) or self._addressed(question.body, record.key)
        plain = self._plain(body, record.key)
        async with hold_send_lock(self.memory.path) as sender:
            post = _post(record, sender, self.cipher.encrypt(body))
            if not await self.memory.reserve_again(record, post, expected=known):
                return None
            return await self._answered(
                _Sending(
                    record=record,
                    post=post,
                    before=known,
                    repeatable=True,
                    plain=plain,
                    body=body,
                    is_own=_asks_for(question.body, plain),
                )
            )

    def _newly(self, question: Submission) -> RequestRecord:
        return RequestRecord(
            dedup_key=question.dedup_key,
            account=self.memory.account,
            type=question.body.type,
            key=uuid.uuid4().hex,
            reference=hash_external_id(question.body.external_id),
            asked_at=time.time(),
        )

    async def _answered(self, it: _Sending) -> EnrichmentResult:
        try:
            posted = await self._posted(it)
        except OutcomeUnknown:
            with _told_all_the_same():
                await self.memory.mark_unknown(it.record, it.post)
            raise
        except EnrichmentError as error:
            await self._refused(it, error)
            raise
        is_first = True
        with _told_all_the_same():
            is_first = await self.memory.mark_accepted(it.record, posted.enrichment.id)
            if posted.supports_idempotency and not it.repeatable:
                await self.memory.mark_idempotent()
        answer = _answer(it, posted)
        return answer if is_first and it.is_own else as_reused(answer)

    async def _refused(self, it: _Sending, error: EnrichmentError) -> None:
        if isinstance(error, IdempotencyConflict) and not it.is_repeat:
            # Its key is ours alone: what the server knows it by is this very question.
            with _told_all_the_same():
                await self.memory.mark_unknown(it.record, it.post)
            raise OutcomeUnknown from error
        with _told_all_the_same():
            await self.memory.release(it.record, it.post, it.before)

    async def _posted(self, it: _Sending) -> PostResult:
        """The answer to a POST, which is tried again where that costs nothing twice."""
        may_have_arrived = False

        async def once() -> PostResult:
            nonlocal may_have_arrived
            try:
                return await self._sent(it)
            except OutcomeUnknown:
                may_have_arrived = True
                raise

        try:
            return await with_retries(
                once,
                seconds=POST_RETRY_SECONDS,
                may_repeat=lambda error: it.repeatable and isinstance(error, OutcomeUnknown),
            )
        except EnrichmentError as error:
            # A refusal of the repeat says nothing about the first try, which may have arrived.
            if may_have_arrived and not isinstance(error, OutcomeUnknown):
                raise OutcomeUnknown(retry_after=error.retry_after) from error
            raise

    async def _sent(self, it: _Sending) -> PostResult:
        """One POST, and a second one without our address where that may be what is refused."""
        if self.pushes is None or it.body is it.plain:
            return await self.wire.post(it.body, key=it.record.key)
        try:
            posted = await self.wire.post(it.body, key=it.record.key)
        except IdempotencyConflict:
            raise
        except InvalidArguments:  # it may be the address: nothing was started
            await self.memory.save_body(it.post, self.cipher.encrypt(it.plain))
            it.body = it.plain
            posted = await self.wire.post(it.plain, key=it.record.key)
            self.pushes.refused()
            return posted
        await self.pushes.expect(it.record.key, posted.enrichment)
        return posted

    def _kept(self, question: Submission, post: PendingPost | None) -> EnrichmentRequest | None:
        """The body that was sent, where it is remembered."""
        return self.cipher.decrypt(post.body, question.body) if post else None

    def _addressed(self, body: EnrichmentRequest, key: str) -> EnrichmentRequest:
        return self.pushes.with_callback_url(body, key) if self.pushes else body

    def _plain(self, body: EnrichmentRequest, key: str) -> EnrichmentRequest:
        """The body without the address that is ours."""
        plain = body.model_copy(update={"callback_url": None})
        return plain if body != plain and self._addressed(plain, key) == body else body


def hash_external_id(external_id: str | None) -> str | None:
    """The hash by which a caller's own reference is recognised."""
    return external_id and hash_parts(external_id)


def _post(record: RequestRecord, sender: str, body: str) -> PendingPost:
    return PendingPost(
        dedup_key=record.dedup_key, key=record.key, sender=sender, since=time.time(), body=body
    )


def _asks_for(record: EnrichmentRequest, sent: EnrichmentRequest) -> bool:
    is_called = record.callback_url in (None, sent.callback_url)
    return is_called and record.external_id == sent.external_id


def _answer(it: _Sending, posted: PostResult) -> EnrichmentResult:
    try:
        validate_email(posted.enrichment)
    except BadAnswer as error:
        raise UnusableAddress from error
    answer = from_response(posted.enrichment)
    return replace(
        answer,
        asked_at=it.record.asked_at,
        type=answer.type or it.record.type,
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
