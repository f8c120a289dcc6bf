"""Submits a request: reuses an earlier one, or records a new one, counts its credit and sends it.

Each POST is saved, under a lock that ends with its process, before it is sent.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import anyio

from mcp_enrichment.client.concurrency import SharedCall
from mcp_enrichment.client.http_api import POST_SECONDS, has_usable_email
from mcp_enrichment.client.post_sender import POST_RETRY_SECONDS, PostAttempt, is_key_kept
from mcp_enrichment.client.results import EnrichmentResult, as_reused, from_response
from mcp_enrichment.client.state.records import (
    RequestRecord,
    StoredRequest,
    SubmitState,
    dedup_key,
)
from mcp_enrichment.client.state.requests import FinalRequest
from mcp_enrichment.client.submission import (
    FORGOTTEN,
    Forecast,
    RequestChanged,
    Submission,
    Submitted,
)
from mcp_enrichment.contract.digests import sha256_of
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    InvalidArguments,
    NotConfirmed,
    OutcomeUnknown,
    ServiceUnavailable,
    StorageFailed,
    UnknownEnrichment,
    UnusableAddress,
)
from mcp_enrichment.contract.models import EmailType, Reason, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence

    from anyio.abc import TaskGroup

    from mcp_enrichment.client.balance import BalanceReader
    from mcp_enrichment.client.http_api import PostResult
    from mcp_enrichment.client.post_sender import PostSender
    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.client.state.spending import Budget
    from mcp_enrichment.contract.models import EnrichmentRequest

logger = logging.getLogger(__name__)

CONCURRENT_SEND_SECONDS = 10.0
"""Seconds to wait for another process that is sending the same POST."""
SEND_LEASE_SECONDS = POST_RETRY_SECONDS + POST_SECONDS + 15.0
"""After this time a sender counts as stopped, even if its process is alive."""
REPLICATION_LAG_SECONDS = 60.0
"""Until a request is this old, a service that does not know it may be a lagging replica."""
CHECK_INTERVAL = 0.1


class _Running(NamedTuple):
    """A submission that several callers may wait for."""

    body: EnrichmentRequest
    """The body of the first caller."""
    call: SharedCall[Submitted]


class Submitter:
    """Answers a request from the saved state if it can, and by one POST if it must."""

    def __init__(
        self,
        *,
        sender: PostSender,
        store: RequestStore,
        budget: Budget,
        keep_misses: float,
        read: Callable[[str, RequestRecord], Awaitable[EnrichmentResult]],
        balance: BalanceReader,
        tasks: TaskGroup,
    ) -> None:
        """`keep_misses`: seconds for which a saved `not-found` is reused. `read`: reads a request
        by its id, with retries, and saves its outcome in this row."""
        self._sender = sender
        self._store = store
        self._budget = budget
        self._keep_misses = keep_misses
        self._read = read
        self._balance = balance
        self._tasks = tasks
        self._running: dict[Hashable, _Running] = {}

    async def submit(self, submission: Submission) -> Submitted:
        """Return the earlier request about this profile and type, or a new one.

        Concurrent calls share one submission, which goes on when its callers are cancelled.
        """
        body = submission.body
        # The cap of one list says nothing about the callers that are not of this list.
        limits = (submission.refresh, submission.may_spend, submission.cap)
        key = (body.linkedin_url, body.type, *limits)
        while True:
            running = self._running.get(key)
            if running is None:
                running = self._running[key] = _Running(body, SharedCall())
                self._tasks.start_soon(self._run, key, running.call, submission)
            try:
                submitted = await running.call.result_or_error()
            except InvalidArguments:
                if running.body == body:
                    raise  # else the other caller's callback_url may have been refused
            else:
                is_first = running.body is body
                result = submitted.result
                return submitted if is_first else submitted._replace(result=as_reused(result))

    async def drain(self) -> None:
        """Wait until no submission is under way."""
        while self._running:
            with suppress(EnrichmentError):
                await next(iter(self._running.values())).call.result_or_error()

    async def forecast(self, dedup_keys: Sequence[str]) -> Sequence[Forecast]:
        """The way in which a request with each of these keys would be answered now."""
        is_repeatable = await self._store.supports_idempotency()
        stored = await self._store.load_all(dedup_keys)
        return [self._forecast(one, is_repeatable) for one in stored]

    def _forecast(self, stored: StoredRequest, is_repeatable: bool) -> Forecast:
        record = stored.record
        if record is None:
            return Forecast.NEW
        if record.state is not SubmitState.ACCEPTED:
            is_joined = (is_repeatable and is_key_kept(record)) or stored.is_being_sent
            return Forecast.RUNNING if is_joined else Forecast.UNKNOWN
        if record.status is None:
            return Forecast.RUNNING
        ended_at = record.ended_at or record.asked_at
        return Forecast.KNOWN if self._may_reuse(record.status, ended_at) else Forecast.NEW

    async def match_result(self, result: EnrichmentResult) -> RequestRecord | None:
        """Find the saved request of unknown outcome that this result belongs to, and save its id.

        Profile and type identify it. If the type is not known yet, the `external_id` does.
        """
        for kind in (result.type,) if result.type else EmailType:
            key = dedup_key(self._store.account, result.linkedin_url or "", kind)
            stored = await self._store.load(key)
            record = stored.record
            if record and record.enrichment_id is None and _belongs_to(result, stored, record):
                await self._store.mark_accepted(record, result.id)
                return (await self._store.load(key)).record
        return None

    async def _run(
        self, key: Hashable, call: SharedCall[Submitted], submission: Submission
    ) -> None:
        try:
            await call.run(lambda: self._reuse_or_post(submission), OutcomeUnknown)
        finally:
            del self._running[key]

    async def _reuse_or_post(self, submission: Submission) -> Submitted:
        body = submission.body
        key = dedup_key(self._store.account, body.linkedin_url, body.type)
        while True:
            stored = await self._wait_until_sent(key)
            try:
                reused = stored.record and await self._reuse(submission, stored, stored.record)
            except RequestChanged:
                continue  # its outcome may still be unknown: no new POST may follow
            if reused:
                return reused
            if not submission.may_spend:
                raise NotConfirmed
            if await self._store.supports_idempotency():
                self._sender.batches.widen()
            async with self._sender.batches.slots:
                if submitted := await self._post(submission, key, expected=stored):
                    return submitted

    async def _wait_until_sent(self, key: str) -> StoredRequest:
        """Wait until no live process is sending the POST; return the saved state.

        Raises `ServiceUnavailable` after `CONCURRENT_SEND_SECONDS`.
        """
        with anyio.move_on_after(CONCURRENT_SEND_SECONDS):
            while _is_being_sent(stored := await self._store.load(key)):  # noqa: ASYNC110 (another process ends it)
                await anyio.sleep(CHECK_INTERVAL)
            return stored
        raise ServiceUnavailable

    async def _reuse(
        self, submission: Submission, stored: StoredRequest, record: RequestRecord
    ) -> Submitted | None:
        """The saved request; None if a new POST is needed."""
        refresh = submission.refresh
        if record.state is SubmitState.ACCEPTED:
            return await self._read_accepted(record, refresh=refresh)
        if is_key_kept(record) and await self._store.supports_idempotency():
            try:
                async with self._sender.batches.slots:
                    return await self._repeat(submission, stored, record)
            except InvalidArguments as error:  # the key is another caller's, or had another body
                if not refresh:
                    raise OutcomeUnknown from error
        elif not refresh:
            raise OutcomeUnknown
        return None

    async def _read_accepted(self, record: RequestRecord, *, refresh: bool) -> Submitted | None:
        """The request as the service returns it now; None if it may not be reused.

        Whether a request that is saved as final may be reused is decided before it is read: the
        service cannot change its outcome.
        """
        has_failed = record.status is Status.FAILED  # it is read: its reason is not saved
        was_final = record.status is not None
        ended_at = record.ended_at or record.asked_at
        may_reuse = has_failed or self._may_reuse(record.status, ended_at)
        if was_final and (refresh or not may_reuse):
            return None
        assert record.enrichment_id  # noqa: S101 (every accepted request has one)
        try:
            result = await self._read(record.enrichment_id, record)
        except UnknownEnrichment:
            if has_failed:
                return None
            if is_recent(record):
                raise ServiceUnavailable from None
            await self._store.release(record, None, StoredRequest())
            raise UnknownEnrichment(FORGOTTEN) from None
        if result.reason in (Reason.ERASED, Reason.EXPIRED):
            return None  # the email was deleted: this is no `not-found` to reuse
        if result.reason is Reason.ANSWER_LOST and not refresh:
            return Submitted(as_reused(result), record)  # a source may have charged: not again
        is_unjudged = has_failed or (result.is_final and not was_final)
        if is_unjudged and (refresh or not self._may_reuse(result.status, time.time())):
            return None
        return Submitted(as_reused(result), record)

    def _may_reuse(self, status: Status | None, ended_at: float) -> bool:
        """Whether a saved request with this status answers a new one: a running one and a hit do, a
        miss for some time, a failure never."""
        if status is Status.NOT_FOUND:
            return time.time() - ended_at < self._keep_misses
        return status is not Status.FAILED

    async def _post(
        self, submission: Submission, key: str, *, expected: StoredRequest
    ) -> Submitted | None:
        """Record a new request, count its credit, and send it.

        None if another caller has changed the `expected` rows meanwhile.
        """
        body, has_reserve = submission.body, self._budget.reserve is not None
        snapshot = await self._balance.snapshot() if has_reserve else None
        record = RequestRecord(
            dedup_key=key,
            account=self._store.account,
            type=body.type,
            key=uuid.uuid4().hex,
            reference=body.external_id and sha256_of(body.external_id),
            asked_at=time.time(),
        )
        is_repeatable = await self._store.supports_idempotency()
        sent = self._sender.with_callback_url(body, record.key)
        with self._store.send_lock.sender() as name:
            post = self._sender.pending(record, name, sent)
            if not await self._store.save_before_post(
                record,
                post,
                expected=expected,
                budget=self._budget,
                snapshot=snapshot,
                cap=submission.cap,
            ):
                return None
            attempt = PostAttempt(
                record=record,
                post=post,
                before=expected,
                is_repeatable=is_repeatable,
                plain=body,
                body=sent,
                is_in_list=submission.is_in_list,
                hold=submission.hold,
            )
            return await self._send_and_save(attempt)

    async def _repeat(
        self, submission: Submission, stored: StoredRequest, record: RequestRecord
    ) -> Submitted:
        """Send a POST of unknown outcome again, with the same key and body.

        The service recognises it by its key. Raises `RequestChanged`.
        """
        body, record = submission.body, replace(record, state=SubmitState.ASKING)
        saved = self._sender.cipher.decrypt(stored.post.body, body) if stored.post else None
        sent = saved or self._sender.with_callback_url(body, record.key)
        plain = self._sender.without_callback_url(sent, record.key)
        with self._store.send_lock.sender() as name:
            post = self._sender.pending(record, name, sent)
            if not await self._store.save_before_post(record, post, expected=stored, budget=None):
                raise RequestChanged
            attempt = PostAttempt(
                record=record,
                post=post,
                before=stored,
                is_repeatable=True,
                plain=plain,
                body=sent,
                is_in_list=submission.is_in_list,
                is_own=body.callback_url in (None, plain.callback_url)
                and body.external_id == plain.external_id,
            )
            return await self._send_and_save(attempt)

    async def _send_and_save(self, attempt: PostAttempt) -> Submitted:
        record = attempt.record
        try:
            posted = await self._sender.send(attempt)
        except OutcomeUnknown:
            with _log_storage_errors():
                await self._store.mark_unknown(record, attempt.post)
            raise
        except EnrichmentError:
            with _log_storage_errors():
                await self._store.release(record, attempt.post, attempt.before)
            raise
        result = _to_result(attempt, posted)
        is_usable = has_usable_email(posted.enrichment)
        outcome = FinalRequest.of(record, result) if result.is_final and is_usable else None
        is_first, accepted = True, None
        with _log_storage_errors():
            is_first = await self._store.mark_accepted(record, result.id, outcome)
            accepted = replace(record, state=SubmitState.ACCEPTED, enrichment_id=result.id)
            if posted.supports_idempotency and not attempt.is_repeatable:
                await self._store.mark_idempotent()
            if posted.supports_idempotency:
                self._sender.batches.widen()
        if not is_usable:
            raise UnusableAddress
        return Submitted(result if is_first and attempt.is_own else as_reused(result), accepted)


def is_recent(record: RequestRecord) -> bool:
    """Whether a service that does not know the request may be a lagging replica."""
    return 0 <= time.time() - record.asked_at < REPLICATION_LAG_SECONDS


def _is_being_sent(stored: StoredRequest) -> bool:
    """Whether a live process waits for the response to the POST, within its lease."""
    if stored.post is None or not stored.is_being_sent:
        return False
    return 0 <= time.time() - stored.post.since < SEND_LEASE_SECONDS


def _belongs_to(result: EnrichmentResult, stored: StoredRequest, record: RequestRecord) -> bool:
    if _is_being_sent(stored):
        return False
    if result.external_id and record.reference:
        return sha256_of(result.external_id) == record.reference
    return result.type is record.type


def _to_result(attempt: PostAttempt, posted: PostResult) -> EnrichmentResult:
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
