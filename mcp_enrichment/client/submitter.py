"""Decides how a request is answered: from the saved state, by a new POST, or by a repeated one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.client.http_api import MAX_IN_FLIGHT, POST_SECONDS
from mcp_enrichment.client.post_sender import (
    POST_RETRY_SECONDS,
    Submission,
    Submitted,
    hash_external_id,
)
from mcp_enrichment.client.results import EnrichmentResult, as_reused
from mcp_enrichment.client.state.records import (
    RequestRecord,
    StoredRequest,
    SubmitState,
    dedup_key,
)
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
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_enrichment.client.post_sender import PostSender
    from mcp_enrichment.client.state.requests import RequestStore
    from mcp_enrichment.client.state.spending import Budget
    from mcp_enrichment.contract.models import Credits

CONCURRENT_SEND_SECONDS = 10.0
"""How long to wait for another process that is sending the same POST."""
SEND_LEASE_SECONDS = POST_RETRY_SECONDS + POST_SECONDS + 15.0
"""After this time a sender counts as stopped, even if its process is alive."""
REPLICATION_LAG_SECONDS = 60.0
"""Until a request is this old, a service that does not know it may be a lagging replica."""
CHECK_INTERVAL = 0.1

_FORGOTTEN = Explanation(
    happened="The service no longer knows the earlier request for this profile, so its answer is "
    "lost.",
    money="Nothing was charged by this call.",
    for_person="Ask again for a new lookup.",
    for_assistant="Call request_email_enrichment again for a new lookup.",
)


class Forecast(Enum):
    """How a request would be answered."""

    KNOWN = auto()
    """By an earlier one that is final. Free."""
    RUNNING = auto()
    """By an earlier one that runs, and whose credit counts already."""
    UNKNOWN = auto()
    """Not at all: the outcome of an earlier POST is unknown."""
    NEW = auto()
    """By a new one, which costs a credit if an email is found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitter:
    """Answers a request from the saved state if it can, and by one POST if it must."""

    sender: PostSender
    store: RequestStore
    budget: Budget
    keep_misses: float
    """Seconds for which a saved `not-found` is reused."""
    supports_idempotency: bool
    """The service is known to honour `Idempotency-Key` before any response shows it."""
    read: Callable[[str, RequestRecord], Awaitable[EnrichmentResult]] = field(repr=False)
    """Reads a request by its id, with retries, and saves its outcome in this row."""
    credits: Callable[[], Awaitable[Credits]] = field(repr=False)
    """Reads the balance, with retries."""
    slots: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(2 * MAX_IN_FLIGHT), repr=False
    )
    """Bounds the saved requests whose POST still waits for a connection."""

    async def submit(self, submission: Submission, *, refresh: bool) -> Submitted:
        """Return the earlier request for this submission, or a new one."""
        while True:
            stored = await self._wait_until_sent(submission.dedup_key)
            if stored.record and (
                reused := await self._reuse(submission, stored, stored.record, refresh=refresh)
            ):
                return reused
            if not submission.may_spend:
                raise NotConfirmed
            if submitted := await self._post(submission, stored):
                return submitted

    async def forecast(self, dedup_keys: Sequence[str]) -> Sequence[Forecast]:
        """How a request with each of these keys would be answered now."""
        is_repeatable = await self._is_repeatable()
        return [self._forecast(one, is_repeatable) for one in await self.store.load_all(dedup_keys)]

    def _forecast(self, stored: StoredRequest, is_repeatable: bool) -> Forecast:
        record = stored.record
        if record is None:
            return Forecast.NEW
        if record.state is not SubmitState.ACCEPTED:
            is_joined = is_repeatable or stored.is_being_sent
            return Forecast.RUNNING if is_joined else Forecast.UNKNOWN
        if record.status is None:
            return Forecast.RUNNING
        return Forecast.KNOWN if self._may_reuse(record) else Forecast.NEW

    async def match_result(self, result: EnrichmentResult) -> RequestRecord | None:
        """Find the saved request of unknown outcome that this result belongs to, and save its id.

        Profile and type identify it. If the type is not known yet, the `external_id` does.
        """
        for kind in (result.type,) if result.type else EmailType:
            key = dedup_key(self.store.account, result.linkedin_url or "", kind)
            stored = await self.store.load(key)
            record = stored.record
            if record and record.enrichment_id is None and _belongs_to(result, stored, record):
                await self.store.mark_accepted(record, result.id)
                return (await self.store.load(key)).record
        return None

    async def _wait_until_sent(self, key: str) -> StoredRequest:
        """Wait until no live process is sending the POST; return the saved state.

        Raises `ServiceUnavailable` after `CONCURRENT_SEND_SECONDS`.
        """
        with anyio.move_on_after(CONCURRENT_SEND_SECONDS):
            while _is_being_sent(stored := await self.store.load(key)):  # noqa: ASYNC110 (another process ends it)
                await anyio.sleep(CHECK_INTERVAL)
            return stored
        raise ServiceUnavailable

    async def _post(self, submission: Submission, stored: StoredRequest) -> Submitted | None:
        async with self.slots:
            snapshot, is_repeatable = await self._balance_snapshot(), await self._is_repeatable()
            return await self.sender.first(
                submission,
                expected=stored,
                budget=self.budget,
                snapshot=snapshot,
                is_repeatable=is_repeatable,
            )

    async def _balance_snapshot(self) -> BalanceSnapshot | None:
        if self.budget.reserve is None:
            return None
        states = await self.store.credit_states()
        credits_now = await self.credits()
        # A service that holds credits has already deducted those of accepted requests.
        already = (ACCEPTED, CHARGED) if credits_now.held is not None else (CHARGED,)
        deducted = frozenset(key for key, state in states.items() if state in already)
        return BalanceSnapshot(balance=credits_now.balance, deducted=deducted)

    async def _reuse(
        self,
        submission: Submission,
        stored: StoredRequest,
        record: RequestRecord,
        *,
        refresh: bool,
    ) -> Submitted | None:
        """The saved request; None if a new POST is needed."""
        if record.state is SubmitState.ACCEPTED:
            return await self._read_accepted(record, refresh=refresh)
        if await self._is_repeatable():
            return await self._repeat(submission, stored, refresh=refresh)
        if refresh:
            return None
        raise OutcomeUnknown

    async def _read_accepted(self, record: RequestRecord, *, refresh: bool) -> Submitted | None:
        is_over = record.status is not None
        if record.enrichment_id is None or (is_over and (refresh or not self._may_reuse(record))):
            return None
        try:
            result = await self.read(record.enrichment_id, record)
        except UnknownEnrichment:
            if is_recent(record):
                raise ServiceUnavailable from None
            await self.store.release(record, None, StoredRequest())
            raise UnknownEnrichment(_FORGOTTEN) from None
        if result.reason in (Reason.ERASED, Reason.EXPIRED):
            return None  # the email was deleted: this is no `not-found` to reuse
        current = replace(record, status=result.status, ended_at=record.ended_at or time.time())
        # One that was saved as final is reused whatever status the service returns now; one that
        # has just become final may be too old, or have failed.
        if result.is_final and not record.status and (refresh or not self._may_reuse(current)):
            return None
        return Submitted(as_reused(result), record)

    async def _repeat(
        self, submission: Submission, stored: StoredRequest, *, refresh: bool
    ) -> Submitted | None:
        try:
            async with self.slots:
                return await self.sender.repeat(submission, stored)
        except InvalidArguments as error:  # the key is another caller's, or had another body
            if refresh:
                return None
            raise OutcomeUnknown from error

    async def _is_repeatable(self) -> bool:
        """Whether a POST may be repeated with its `Idempotency-Key`."""
        return self.supports_idempotency or await self.store.supports_idempotency()

    def _may_reuse(self, record: RequestRecord) -> bool:
        """Whether the saved request answers a new one: not if it failed, or is an old miss."""
        if record.status is Status.NOT_FOUND:
            return time.time() - (record.ended_at or record.asked_at) < self.keep_misses
        return record.status is not Status.FAILED


def is_recent(record: RequestRecord) -> bool:
    """Whether a service that does not know the request may be a lagging replica."""
    return 0 <= time.time() - record.asked_at < REPLICATION_LAG_SECONDS


def _is_being_sent(stored: StoredRequest) -> bool:
    """Whether a live process waits for the response to the POST, within its lease."""
    if stored.record is None or stored.record.state is not SubmitState.ASKING:
        return False
    if stored.post is None or not stored.is_being_sent:
        return False
    return 0 <= time.time() - stored.post.since < SEND_LEASE_SECONDS


def _belongs_to(result: EnrichmentResult, stored: StoredRequest, record: RequestRecord) -> bool:
    if _is_being_sent(stored):
        return False
    reference = hash_external_id(result.external_id)
    if reference and record.reference:
        return reference == record.reference
    return result.type is record.type
