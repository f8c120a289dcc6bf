"""Sends the POST of a request and saves its outcome."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.client.http_api import validate_email
from mcp_enrichment.client.results import EnrichmentResult, as_reused, from_response
from mcp_enrichment.client.retry import with_retries
from mcp_enrichment.client.state.records import (
    PendingPost,
    RequestRecord,
    StoredRequest,
    SubmitState,
)
from mcp_enrichment.contract.digests import sha256_of
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
    from mcp_enrichment.client.state.spending import BalanceSnapshot, Budget, CreditCap
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.contract.models import EnrichmentRequest

logger = logging.getLogger(__name__)

POST_RETRY_SECONDS = 15.0
"""How long a POST that was refused, or never sent, is retried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A request of a caller."""

    dedup_key: str
    body: EnrichmentRequest
    may_spend: bool
    """Whether a new POST may be sent for it."""
    cap: CreditCap | None = None
    """The cap of the list that it belongs to."""


class Submitted(NamedTuple):
    """A submitted request."""

    result: EnrichmentResult
    record: RequestRecord | None
    """Its saved row; None if its id could not be saved."""


@dataclass(kw_only=True, slots=True)
class _Attempt:
    """One POST and its retries."""

    record: RequestRecord
    post: PendingPost
    before: StoredRequest
    """The rows that are restored if the POST is refused."""
    is_repeatable: bool
    """The service recognises a repeated POST by its key."""
    plain: EnrichmentRequest
    """The body without our callback URL."""
    body: EnrichmentRequest
    """The body to send: with our callback URL if webhooks are in use."""
    is_own: bool = True
    """False if another process has sent the POST first, with another body."""

    @property
    def is_repeat(self) -> bool:
        """Whether the POST was sent before, and its credit counts already."""
        return self.before.record is not None and self.before.record.key == self.record.key


@dataclass(frozen=True, kw_only=True, slots=True)
class PostSender:
    """Saves each POST, under a lock that ends with its process, before it sends it."""

    api: HTTPApi
    store: RequestStore
    cipher: BodyCipher = field(repr=False)
    webhooks: Webhooks | None = None

    async def first(
        self,
        submission: Submission,
        *,
        expected: StoredRequest,
        budget: Budget,
        snapshot: BalanceSnapshot | None,
        is_repeatable: bool,
    ) -> Submitted | None:
        """Send a new POST; None if another caller has changed the `expected` rows meanwhile."""
        record = self._new_record(submission)
        body = self._with_callback_url(submission.body, record.key)
        with self.store.send_lock.sender() as sender:
            post = _pending(record, sender, self.cipher.encrypt(body))
            if not await self.store.save_before_post(
                record,
                post,
                expected=expected,
                budget=budget,
                snapshot=snapshot,
                cap=submission.cap,
            ):
                return None
            attempt = _Attempt(
                record=record,
                post=post,
                before=expected,
                is_repeatable=is_repeatable,
                plain=submission.body,
                body=body,
            )
            return await self._send_and_save(attempt)

    async def repeat(self, submission: Submission, stored: StoredRequest) -> Submitted | None:
        """Send a POST of unknown outcome again, with the same key and body.

        The service recognises it by its key. None if another caller was faster.
        """
        assert stored.record  # noqa: S101 (the caller has checked it)
        record = replace(stored.record, state=SubmitState.ASKING)
        saved = self._saved_body(submission, stored.post)
        body = saved or self._with_callback_url(submission.body, record.key)
        plain = self._without_callback_url(body, record.key)
        with self.store.send_lock.sender() as sender:
            post = _pending(record, sender, self.cipher.encrypt(body))
            if not await self.store.save_before_repeat(record, post, expected=stored):
                return None
            attempt = _Attempt(
                record=record,
                post=post,
                before=stored,
                is_repeatable=True,
                plain=plain,
                body=body,
                is_own=_is_same(submission.body, plain),
            )
            return await self._send_and_save(attempt)

    def _new_record(self, submission: Submission) -> RequestRecord:
        return RequestRecord(
            dedup_key=submission.dedup_key,
            account=self.store.account,
            type=submission.body.type,
            key=uuid.uuid4().hex,
            reference=hash_external_id(submission.body.external_id),
            asked_at=time.time(),
        )

    async def _send_and_save(self, attempt: _Attempt) -> Submitted:
        try:
            posted = await self._send_with_retries(attempt)
        except OutcomeUnknown:
            with _log_storage_errors():
                await self.store.mark_unknown(attempt.record, attempt.post)
            raise
        except EnrichmentError as error:
            await self._save_refusal(attempt, error)
            raise
        is_first, record = True, None
        with _log_storage_errors():
            accepted_id = posted.enrichment.id
            is_first = await self.store.mark_accepted(attempt.record, accepted_id)
            record = replace(attempt.record, state=SubmitState.ACCEPTED, enrichment_id=accepted_id)
            if posted.supports_idempotency and not attempt.is_repeatable:
                await self.store.mark_idempotent()
        result = _to_result(attempt, posted)
        return Submitted(result if is_first and attempt.is_own else as_reused(result), record)

    async def _save_refusal(self, attempt: _Attempt, error: EnrichmentError) -> None:
        if isinstance(error, IdempotencyConflict) and not attempt.is_repeat:
            # Nobody else has this key: the service knows it from this very request.
            with _log_storage_errors():
                await self.store.mark_unknown(attempt.record, attempt.post)
            raise OutcomeUnknown from error
        with _log_storage_errors():
            await self.store.release(attempt.record, attempt.post, attempt.before)

    async def _send_with_retries(self, attempt: _Attempt) -> PostResult:
        """Send the POST; retry it if that cannot cost a second credit."""
        may_have_arrived = False

        async def send() -> PostResult:
            nonlocal may_have_arrived
            try:
                return await self._send(attempt)
            except OutcomeUnknown:
                may_have_arrived = True
                raise

        try:
            return await with_retries(
                send,
                seconds=POST_RETRY_SECONDS,
                may_repeat=lambda error: (
                    attempt.is_repeatable and isinstance(error, OutcomeUnknown)
                ),
            )
        except EnrichmentError as error:
            # The refusal of a retry says nothing about the first POST, which may have arrived.
            if may_have_arrived and not isinstance(error, OutcomeUnknown):
                raise OutcomeUnknown(retry_after=error.retry_after) from error
            raise

    async def _send(self, attempt: _Attempt) -> PostResult:
        """Send one POST; a second one without our callback URL if that may be refused."""
        if self.webhooks is None or attempt.body is attempt.plain:
            return await self.api.post(attempt.body, key=attempt.record.key)
        try:
            posted = await self.api.post(attempt.body, key=attempt.record.key)
        except IdempotencyConflict:
            raise
        except InvalidArguments:  # nothing was started
            await self.store.save_body(attempt.post, self.cipher.encrypt(attempt.plain))
            attempt.body = attempt.plain
            posted = await self.api.post(attempt.plain, key=attempt.record.key)
            self.webhooks.disable()
            return posted
        await self.webhooks.expect(attempt.record.key, posted.enrichment)
        return posted

    def _saved_body(
        self, submission: Submission, post: PendingPost | None
    ) -> EnrichmentRequest | None:
        return self.cipher.decrypt(post.body, submission.body) if post else None

    def _with_callback_url(self, body: EnrichmentRequest, key: str) -> EnrichmentRequest:
        return self.webhooks.with_callback_url(body, key) if self.webhooks else body

    def _without_callback_url(self, body: EnrichmentRequest, key: str) -> EnrichmentRequest:
        """The body without our callback URL; one of the caller's own stays."""
        plain = body.model_copy(update={"callback_url": None})
        return plain if body != plain and self._with_callback_url(plain, key) == body else body


def hash_external_id(external_id: str | None) -> str | None:
    """The hash by which a request is recognised by the caller's own reference."""
    return external_id and sha256_of(external_id)


def _pending(record: RequestRecord, sender: str, body: str) -> PendingPost:
    return PendingPost(
        dedup_key=record.dedup_key, key=record.key, sender=sender, since=time.time(), body=body
    )


def _is_same(requested: EnrichmentRequest, sent: EnrichmentRequest) -> bool:
    has_its_callback = requested.callback_url in (None, sent.callback_url)
    return has_its_callback and requested.external_id == sent.external_id


def _to_result(attempt: _Attempt, posted: PostResult) -> EnrichmentResult:
    try:
        validate_email(posted.enrichment)
    except BadAnswer as error:
        raise UnusableAddress from error
    result = from_response(posted.enrichment)
    return replace(
        result,
        asked_at=attempt.record.asked_at,
        type=result.type or attempt.record.type,
        callback_url=attempt.plain.callback_url,
    )


@contextmanager
def _log_storage_errors() -> Iterator[None]:
    """Log a failure to save the outcome of a POST: the caller still gets the outcome.

    The row stays as it was saved before the POST, and later counts as an unknown outcome.
    """
    try:
        yield
    except StorageFailed:
        logger.warning("the outcome of a request could not be saved")
