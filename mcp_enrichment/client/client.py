"""The client of the contract: it requests, waits and reads, and never pays twice for a lookup."""

from __future__ import annotations

import math
import uuid
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from itertools import repeat, starmap
from typing import TYPE_CHECKING, Self

import anyio

from mcp_enrichment.client.concurrency import BatchLoader, SingleFlight
from mcp_enrichment.client.http_api import HTTPApi
from mcp_enrichment.client.lists import ListItem, ListPreview, ListRow, ListRun, preview_list
from mcp_enrichment.client.poll_schedule import PollSchedule
from mcp_enrichment.client.poller import NoResponseYet, Poller
from mcp_enrichment.client.post_sender import PostSender, Submission, Submitted
from mcp_enrichment.client.results import EnrichmentResult, as_reused, from_response
from mcp_enrichment.client.retry import with_retries
from mcp_enrichment.client.saved_lists import read_list, save_list
from mcp_enrichment.client.state.body_cipher import BodyCipher
from mcp_enrichment.client.state.records import dedup_key
from mcp_enrichment.client.state.requests import KEEP, FinalRequest, RequestStore
from mcp_enrichment.client.state.spending import Budget, CreditCap, CreditsView
from mcp_enrichment.client.submitter import Submitter, is_recent
from mcp_enrichment.client.validation import build_request, validate_id, validate_list
from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.contract.digests import mac_of, sha256_of
from mcp_enrichment.contract.errors import (
    BadAnswer,
    EnrichmentError,
    InvalidArguments,
    ServiceUnavailable,
    TransientError,
    UnknownEnrichment,
)
from mcp_enrichment.contract.models import EmailType, Status

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    import httpx

    from mcp_enrichment.client.state.records import RequestRecord
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.contract.models import Credits, EnrichmentBody, EnrichmentRequest
    from mcp_enrichment.contract.price import CreditPrice

READ_SECONDS = 10.0
"""How long a read that fails with a transient error is retried."""
SAVE_SECONDS = 0.25
"""How long a reply waits for its outcome to be saved. The save continues regardless: while many
are saved, replies would otherwise come after the deadlines of their calls."""
KEEP_MISSES = 30 * DAY
"""Seconds for which a saved `not-found` is reused."""
NO_BUDGET = Budget()


class EnrichmentClient:
    """The client of one account of a service. Use it as an async context manager.

    Every method raises errors of `mcp_enrichment.contract.errors` and no others.
    """

    def __init__(
        self,
        url: str,
        *,
        memory: Path,
        api_key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        keep: float = KEEP,
        keep_misses: float = KEEP_MISSES,
        budget: Budget = NO_BUDGET,
        supports_idempotency: bool = False,
        account: str = "",
        webhooks: Webhooks | None = None,
        price: CreditPrice | None = None,
    ) -> None:
        """`url`: the root URL of the service. `memory`: the file that keeps past requests, for
        `keep` seconds. `supports_idempotency`: the service honours `Idempotency-Key`; if False, its
        responses decide. `account`: distinguishes accounts with the same URL and key. `webhooks`:
        the vendor's callbacks trigger polls. `price`: the most that a credit costs."""
        self._api = HTTPApi(url.rstrip("/"), api_key, transport)
        self._store = RequestStore(memory, account_key(url, api_key, account), keep=keep)
        self._cipher = BodyCipher(secret=sha256_of("body", url.rstrip("/"), api_key or "", account))
        self._keep_misses = keep_misses
        self._budget = budget
        self._supports_idempotency = supports_idempotency
        self._has_durations = False
        self._webhooks = webhooks
        self._price = price
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        # These run in reverse order, each even if the block was cancelled.
        if self._webhooks:
            self._exits.callback(self._webhooks.close)
        self._exits.callback(self._store.close)
        self._exits.push_async_callback(self._api.aclose)
        self._tasks = await self._exits.enter_async_context(anyio.create_task_group())
        self._poller = Poller(self._api, self._tasks, self._webhooks)
        if self._webhooks:
            self._tasks.start_soon(self._webhooks.watch, self._poller)
        self._in_flight: SingleFlight[Submitted] = SingleFlight(self._tasks)
        self._submitted_bodies: dict[Hashable, EnrichmentRequest] = {}
        # Many requests may become final at once.
        self._outcomes = BatchLoader(self._store.save_outcomes, self._tasks)
        self._submitter = self._new_submitter()
        return self

    def _new_submitter(self) -> Submitter:
        sender = PostSender(
            api=self._api, store=self._store, cipher=self._cipher, webhooks=self._webhooks
        )
        return Submitter(
            sender=sender,
            store=self._store,
            budget=self._budget,
            keep_misses=self._keep_misses,
            supports_idempotency=self._supports_idempotency,
            read=self._get,
            credits=self._credits,
        )

    async def __aexit__(self, *exc_info: object) -> None:
        self._tasks.cancel_scope.cancel()
        await self._exits.aclose()

    async def request(
        self,
        linkedin_url: str,
        type: EmailType | str,  # noqa: A002 (the contract's name)
        *,
        callback_url: str | None = None,
        external_id: str | None = None,
        force_refresh: bool = False,
        may_spend: bool = True,
        wait: float = 0,
    ) -> EnrichmentResult:
        """Request an email, and wait up to `wait` seconds for the final result.

        An earlier request that still runs, or has a result, is reused. A new request costs a credit
        if an email is found. `force_refresh` repeats a lookup that is final. Without `may_spend` a
        new request raises `NotConfirmed`, and nothing is sent.
        """
        body = build_request(linkedin_url, type, callback_url, external_id)
        return await self._request(body, wait, may_spend=may_spend, force_refresh=force_refresh)

    async def _request(
        self,
        body: EnrichmentRequest,
        wait: float,
        *,
        may_spend: bool,
        force_refresh: bool = False,
        cap: CreditCap | None = None,
    ) -> EnrichmentResult:
        key = dedup_key(self._store.account, body.linkedin_url, body.type)
        submission = Submission(dedup_key=key, body=body, may_spend=may_spend, cap=cap)
        until = anyio.current_time() + wait
        result, record = await self._submit(submission, refresh=force_refresh)
        callback_url = body.callback_url
        is_dropped = callback_url not in (None, result.callback_url)
        if not result.is_final and wait:
            result = await self._wait_after(result, record, until - anyio.current_time())
        # An earlier request may have another caller's reference.
        return replace(result, external_id=body.external_id, callback_dropped=is_dropped)

    async def enrich_many(
        self,
        linkedin_urls: Iterable[str],
        type: EmailType | str,  # noqa: A002
        *,
        external_ids: Iterable[str | None] | None = None,
        max_credits: int | None = None,
        list_id: str = "",
        wait: float = math.inf,
    ) -> AsyncGenerator[ListRow, None]:
        """Request the emails of many profiles; yield a row for each, as they are answered.

        At most `MAX_OPEN` are open at a time, and the iterable is read as they are begun. Each row
        has a result or an error; after `wait` seconds, one that is not final, or neither.
        Nothing is begun that could cost more than `max_credits` in all. Runs with the same
        `list_id` share this number, in all processes. Raises `Unauthorized`, and
        `ServiceUnavailable` if the service is down; then the same call again continues, and pays
        for nothing twice.
        """
        kind = validate_list(type, max_credits)
        until = anyio.current_time() + wait
        cap, spent = None, 0
        if max_credits is not None:
            cap = CreditCap(list_id=list_id or uuid.uuid4().hex, max_credits=max_credits)
            spent = await self._store.list_credits(cap.list_id)

        async def request(
            item: ListItem, *, may_spend: bool, cap: CreditCap | None
        ) -> EnrichmentResult:
            body = build_request(item.linkedin_url, kind, None, item.external_id)
            left = max(until - anyio.current_time(), 0.0)
            return await self._request(body, left, may_spend=may_spend, cap=cap)

        items = starmap(ListItem, zip(linkedin_urls, external_ids or repeat(None), strict=False))
        run = ListRun(items, request, cap=cap, already_spent=spent, until=until)
        async with aclosing(run.rows(self._tasks)) as rows:
            async for row in rows:
                yield row

    async def preview_many(
        self,
        linkedin_urls: Iterable[str],
        type: EmailType | str,  # noqa: A002
    ) -> ListPreview:
        """Count what `enrich_many` would do. Free: only the saved state is read."""
        return await preview_list(
            linkedin_urls, validate_list(type), self._store.account, self._submitter.forecast
        )

    def cost(self, count: int) -> str | None:
        """The most that this many credits cost in money; None if no price is known."""
        return self._price.of(count) if self._price else None

    async def save_list(self, content: str) -> str:
        """Save a text, encrypted; return an id by which `read_list` returns it."""
        return await save_list(self._store, content)

    async def read_list(self, list_id: str) -> str:
        """The text that was saved under this id. Raises `UnknownEnrichment`."""
        return await read_list(self._store, list_id)

    async def get(self, enrichment_id: str) -> EnrichmentResult:
        """The current state of a request. Free."""
        validate_id(enrichment_id)
        return await self._get(enrichment_id)

    async def wait(self, enrichment_ids: Iterable[str], seconds: float) -> list[EnrichmentResult]:
        """The requests in this order, once all are final or after `seconds`. Free.

        A lone id counts as a list of one. A request that could not be read has a `read_error`.
        Raises if none could be read, and at once if an id is unknown or the API key is refused.
        """
        ids = [enrichment_ids] if isinstance(enrichment_ids, str) else list(enrichment_ids)
        until = anyio.current_time() + seconds
        for enrichment_id in ids:
            validate_id(enrichment_id)
        records = await self._store.find_by_ids(ids)
        await self._learn_durations()
        left = max(until - anyio.current_time(), 0.0)
        if len(ids) == 1:  # the usual case needs no task
            return [await self._wait_for(ids[0], left, records.get(ids[0]))]
        return await self._wait_for_all(ids, left, records)

    async def _wait_for_all(
        self, ids: Sequence[str], seconds: float, records: Mapping[str, RequestRecord]
    ) -> list[EnrichmentResult]:
        results: dict[str, EnrichmentResult] = {}
        fatal: list[EnrichmentError] = []

        async def wait_for_one(enrichment_id: str) -> None:
            record = records.get(enrichment_id)
            try:
                results[enrichment_id] = await self._wait_for(enrichment_id, seconds, record)
            except (TransientError, BadAnswer) as error:
                pending = _as_pending(record, enrichment_id)
                results[enrichment_id] = replace(pending, read_error=error)
            except EnrichmentError as error:
                fatal.append(error)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for enrichment_id in dict.fromkeys(ids):
                tasks.start_soon(wait_for_one, enrichment_id)
        if fatal:
            raise fatal[0]
        _check_any_was_read(results.values())
        return [results[enrichment_id] for enrichment_id in ids]

    def signature(self, text: str) -> str:
        """32 hex digits that only clients of the same account can compute for this text."""
        return mac_of(self._store.account.encode(), text, size=16).hex()

    async def credits(self) -> CreditsView:
        """The account's credits, and those that the budget still allows."""
        balance = (await self._credits()).balance
        spent = await self._store.spent_today()
        left = self._budget.left(balance=balance, spent_today=spent)
        return CreditsView(balance=balance, spent_today=spent, left=left)

    def release_waiters(self) -> None:
        """End all waits now with the last response: the process is shutting down."""
        self._poller.release_waiters()

    async def _submit(self, submission: Submission, *, refresh: bool) -> Submitted:
        """Submit the request, or join another caller's that is being submitted now."""
        key = (submission.dedup_key, refresh, submission.may_spend)

        async def submit() -> Submitted:
            try:
                return await self._submitter.submit(submission, refresh=refresh)
            finally:
                del self._submitted_bodies[key]

        while True:
            body = self._submitted_bodies.setdefault(key, submission.body)
            try:
                submitted = await self._in_flight.join(key, submit)
            except InvalidArguments:
                if body == submission.body:
                    raise  # else the other caller's callback_url may have been refused
            else:
                if body is submission.body:
                    return submitted
                return submitted._replace(result=as_reused(submitted.result))

    async def _credits(self) -> Credits:
        return await with_retries(self._api.credits, seconds=READ_SECONDS)

    async def _learn_durations(self) -> None:
        """Read the saved durations of lookups, at the first wait."""
        if not self._has_durations:
            self._poller.schedule = PollSchedule(await self._store.durations())
            self._has_durations = True

    async def _get(
        self, enrichment_id: str, record: RequestRecord | None = None
    ) -> EnrichmentResult:
        got = await with_retries(lambda: self._api.get(enrichment_id), seconds=READ_SECONDS)
        if record is None:
            record = (await self._store.find_by_ids([enrichment_id])).get(enrichment_id)
        return await self._complete(got.enrichment, record, duration=None)

    async def _wait_after(
        self, first: EnrichmentResult, record: RequestRecord | None, seconds: float
    ) -> EnrichmentResult:
        """Wait for a submitted request. An error returns its first state, so that its id is not
        lost: the next wait raises the error."""
        until = anyio.current_time() + seconds
        try:
            await self._learn_durations()
            left = max(until - anyio.current_time(), 0.0)
            later = await self._wait_for(first.id, left, record)
        except EnrichmentError:
            return first
        charged = 0 if first.reused else later.credits_charged
        return replace(later, reused=first.reused, credits_charged=charged)

    async def _wait_for(
        self, enrichment_id: str, seconds: float, record: RequestRecord | None
    ) -> EnrichmentResult:
        asked_at = record.asked_at if record else None
        try:
            waited = await self._poller.wait(enrichment_id, seconds, asked_at=asked_at)
        except NoResponseYet:
            if record is None:
                raise
            return _as_pending(record, enrichment_id)
        except UnknownEnrichment as error:
            if record and is_recent(record):
                raise ServiceUnavailable from error
            raise UnknownEnrichment(enrichment_id=enrichment_id) from error
        return await self._complete(waited.enrichment, record, duration=waited.duration)

    async def _complete(
        self, body: EnrichmentBody, record: RequestRecord | None, *, duration: float | None
    ) -> EnrichmentResult:
        """The result with the fields of its saved row. A final one is saved."""
        result = from_response(body)
        record = record or await self._submitter.match_result(result)
        if record is None:
            return result
        if result.is_final and record.ended_at is None:
            await self._save_outcome(result, record, duration)
        return replace(result, asked_at=record.asked_at, type=result.type or record.type)

    async def _save_outcome(
        self, result: EnrichmentResult, record: RequestRecord, duration: float | None
    ) -> None:
        charged = bool(result.credits_charged)
        outcome = FinalRequest(
            record=record, status=result.status, charged=charged, duration=duration
        )
        with anyio.move_on_after(SAVE_SECONDS):
            await self._outcomes.add([outcome])
        if duration is not None:
            self._poller.schedule.learn(duration)


def account_key(url: str, api_key: str | None, account: str = "") -> str:
    """The hash that identifies an account in the state file, without its API key."""
    return sha256_of(url.rstrip("/"), api_key or "", account)


def _check_any_was_read(results: Collection[EnrichmentResult]) -> None:
    """Raise an outage as an error if no request could be read."""
    errors = [result.read_error for result in results if result.read_error]
    if errors and len(errors) == len(results):
        raise errors[-1]


def _as_pending(record: RequestRecord | None, enrichment_id: str) -> EnrichmentResult:
    """The saved fields of a request whose state could not be read."""
    result = EnrichmentResult(id=enrichment_id, status=Status.PENDING)
    return replace(result, type=record.type, asked_at=record.asked_at) if record else result
