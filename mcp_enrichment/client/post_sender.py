"""Sends POSTs, and retries one if that cannot cost a second credit.

Those of lists are sent together, to a service that accepts batches. Each request is saved, sent
again and given up like a single one: a batch only changes the way it is sent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio

from mcp_enrichment.client.concurrency import SharedCall
from mcp_enrichment.client.http_api import MAX_IN_FLIGHT, PostResult
from mcp_enrichment.client.retry import Retries
from mcp_enrichment.client.state.records import PendingPost, RequestRecord, StoredRequest
from mcp_enrichment.contract.errors import (
    BadAnswer,
    EnrichmentError,
    IdempotencyConflict,
    InvalidArguments,
    OutcomeUnknown,
    ServiceUnavailable,
)
from mcp_enrichment.contract.http import IDEMPOTENCY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from mcp_enrichment.client.service_api import ServiceApi
    from mcp_enrichment.client.state.records import BodyCipher
    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.contract.models import EnrichmentRequest

POST_RETRY_SECONDS = 15.0
"""Seconds for which a POST that was refused, or never sent, is retried."""
REPEAT_SECONDS = IDEMPOTENCY_SECONDS - 3600.0
"""Age up to which a POST is repeated. An hour is left for its wait, its retries and its way."""

BATCHES_AT_ONCE = 2
"""Batches under way. Requests that come meanwhile form the next one."""


@dataclass(kw_only=True, slots=True)
class PostAttempt:
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
    is_in_list: bool = False
    """It may be sent in one batch with others of lists."""
    hold: int = 0
    """Seconds that the service may wait for the outcome before it answers. Only for a POST that is
    repeatable, as the id is saved afterwards."""
    is_own: bool = True
    """False if another process has sent the POST first, with another body."""

    @property
    def is_repeat(self) -> bool:
        """Whether the POST was sent before, and its credit counts already."""
        return self.before.record is not None and self.before.record.key == self.record.key


@dataclass(frozen=True, kw_only=True, slots=True)
class PostSender:
    """Sends POSTs. `store` keeps the encrypted body of each until its outcome is known."""

    api: ServiceApi
    batches: BatchPoster
    store: RequestStore
    cipher: BodyCipher = field(repr=False)
    webhooks: Webhooks | None = None

    async def send(self, attempt: PostAttempt) -> PostResult:
        """Send the POST; retry it if that cannot cost a second credit."""
        retries, may_have_arrived = Retries(POST_RETRY_SECONDS), False
        while True:
            try:
                return await self._send_once(attempt)
            except OutcomeUnknown as error:
                may_have_arrived = True
                as_transient = ServiceUnavailable(retry_after=error.retry_after)
                pause = retries.pause_after(as_transient) if attempt.is_repeatable else None
                if pause is None:
                    raise
            except EnrichmentError as error:
                pause = retries.pause_after(error)
                # The refusal of a retry says nothing about the first POST, which may have arrived.
                # Nobody else has the key of a new POST: a conflict shows that it has arrived.
                is_conflict = isinstance(error, IdempotencyConflict) and not attempt.is_repeat
                if pause is None and (may_have_arrived or is_conflict):
                    raise OutcomeUnknown(retry_after=error.retry_after) from error
                if pause is None:
                    raise
            await anyio.sleep(pause)

    async def _send_once(self, attempt: PostAttempt) -> PostResult:
        """Send one POST; a second one without our callback URL if that may be refused."""
        key = attempt.record.key
        # The answer to a batch may be lost for many: only with keys it is certain to be repeated.
        is_batched = attempt.is_in_list and attempt.is_repeatable
        webhooks = None if attempt.body is attempt.plain else self.webhooks
        hold = attempt.hold if attempt.is_repeatable and not webhooks else 0
        post = self.batches.post if is_batched else partial(self.api.post, hold=hold)
        if webhooks is None:
            return await post(attempt.body, key=key)
        try:
            posted = await post(attempt.body, key=key)
        except IdempotencyConflict:
            raise
        except InvalidArguments:  # nothing was started
            await self.store.save_body(attempt.post, self.cipher.encrypt(attempt.plain))
            attempt.body = attempt.plain
            posted = await post(attempt.plain, key=key)
            webhooks.disable()
            return posted
        await webhooks.expect(key, posted.enrichment)
        return posted

    def pending(self, record: RequestRecord, sender: str, body: EnrichmentRequest) -> PendingPost:
        """The row of this POST, with the body encrypted."""
        return PendingPost(
            dedup_key=record.dedup_key,
            key=record.key,
            sender=sender,
            since=time.time(),
            body=self.cipher.encrypt(body),
        )

    def with_callback_url(self, body: EnrichmentRequest, key: str) -> EnrichmentRequest:
        """The body with our callback URL, if webhooks are in use and the caller has set none."""
        return self.webhooks.with_callback_url(body, key) if self.webhooks else body

    def without_callback_url(self, body: EnrichmentRequest, key: str) -> EnrichmentRequest:
        """The body without our callback URL; one of the caller's own stays."""
        plain = body.model_copy(update={"callback_url": None})
        return plain if body != plain and self.with_callback_url(plain, key) == body else body


def is_key_kept(record: RequestRecord) -> bool:
    """Whether a service that recognises a POST by its key still recognises this one: later it would
    take a repeat for a new request, and charge again."""
    return abs(time.time() - record.asked_at) < REPEAT_SECONDS


class _Post(NamedTuple):
    request: EnrichmentRequest
    key: str
    call: SharedCall[PostResult]


class BatchPoster:
    """Sends POSTs that wait at the same time as one batch."""

    def __init__(self, api: ServiceApi, tasks: TaskGroup) -> None:
        self._api = api
        self._tasks = tasks
        self._waiting: list[_Post] = []
        self._turns = anyio.CapacityLimiter(BATCHES_AT_ONCE)
        self._is_refused = False
        self.slots = anyio.CapacityLimiter(2 * MAX_IN_FLIGHT)
        """Bounds the requests that are saved and not answered yet, or still wait to be sent."""

    @property
    def limit(self) -> int:
        """The most requests of a batch; 0 if the service is not known to accept batches, or accepts
        so few requests that single POSTs are faster."""
        limit = self._api.batch_limit
        return 0 if self._is_refused or limit < MAX_IN_FLIGHT else limit

    async def post(self, request: EnrichmentRequest, *, key: str) -> PostResult:
        """Submit a request as `ServiceApi.post`, with others if the service takes batches."""
        if not self.limit:
            return await self._api.post(request, key=key)
        call = SharedCall[PostResult]()
        self._waiting.append(_Post(request, key, call))
        self._tasks.start_soon(self._send_waiting)
        return await call.result_or_error()

    def widen(self) -> None:
        """Let as many requests wait as fill the batches. The service recognises a repeated POST, so
        one that is saved and not sent is only sent later."""
        self.slots.total_tokens = max(self.slots.total_tokens, BATCHES_AT_ONCE * self.limit)

    async def _send_waiting(self) -> None:
        async with self._turns:
            most = self.limit or len(self._waiting)
            posts, self._waiting = self._waiting[:most], self._waiting[most:]
            if len(posts) > 1 and self.limit:
                await self._send_batch(posts)
            else:
                await self._send_each(posts)

    async def _send_batch(self, posts: Sequence[_Post]) -> None:
        try:
            results = await self._api.post_batch([(post.request, post.key) for post in posts])
        except (InvalidArguments, BadAnswer):  # it takes no such batch, and has started nothing
            self._is_refused = True
            await self._send_each(posts)
        except Exception as error:  # noqa: BLE001 (raised again in each caller)
            for post in posts:
                post.call.fail(error)
        else:
            for post, result in zip(posts, results, strict=True):
                if isinstance(result, PostResult):
                    post.call.set_result(result)
                else:
                    post.call.fail(result)

    async def _send_each(self, posts: Sequence[_Post]) -> None:
        async with anyio.create_task_group() as tasks:
            for post in posts:
                tasks.start_soon(post.call.run, partial(self._api.post, post.request, key=post.key))
