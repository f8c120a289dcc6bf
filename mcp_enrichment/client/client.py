"""The client of the contract: it requests, waits and reads, and never pays twice for a lookup."""

from __future__ import annotations

import math
import uuid
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from functools import partial
from itertools import chain, repeat, starmap
from typing import TYPE_CHECKING, Self

import anyio

from mcp_enrichment.client.balance import BalanceReader
from mcp_enrichment.client.concurrency import SharedCall
from mcp_enrichment.client.http_api import HTTPApi
from mcp_enrichment.client.lists import ListItem, ListPreview, ListRow, ListRun, preview_list
from mcp_enrichment.client.poll_schedule import PollSchedule
from mcp_enrichment.client.poller import RESPONSE_MARGIN, NoResponseYet, Poller
from mcp_enrichment.client.post_sender import BatchPoster, PostSender
from mcp_enrichment.client.results import EnrichmentResult, from_response
from mcp_enrichment.client.retry import with_retries
from mcp_enrichment.client.saved_lists import read_list, save_list
from mcp_enrichment.client.state.records import BodyCipher
from mcp_enrichment.client.state.requests import KEEP, FinalRequest, RequestStore
from mcp_enrichment.client.state.spending import Budget, CreditCap, CreditsView
from mcp_enrichment.client.submission import Submission
from mcp_enrichment.client.submitter import Submitter, is_recent
from mcp_enrichment.client.validation import build_request, list_type, validate_id
from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.contract.digests import mac_of, sha256_of
from mcp_enrichment.contract.errors import (
    BadAnswer,
    EnrichmentError,
    ServiceUnavailable,
    TransientError,
    UnknownEnrichment,
)
from mcp_enrichment.contract.models import (
    EmailType,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    import httpx

    from mcp_enrichment.client.service_api import ServiceApi
    from mcp_enrichment.client.state.records import RequestRecord
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.contract.models import Credits, EnrichmentBody
    from mcp_enrichment.contract.price import CreditPrice

READ_SECONDS = 10.0
"""Seconds for which a read that fails with a transient error is retried."""
SAVE_SECONDS = 0.25
"""Seconds that a reply waits for its outcome to be saved. The save continues regardless. Without
this limit, replies would miss the deadlines of their calls while many outcomes are saved."""
POST_HOLD = 1
"""Seconds that a service may wait for the outcome before it answers a POST. It is short, as the id
is saved only after the answer. A quick lookup then needs no second call and no second commit."""
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
        api: ServiceApi | None = None,
        keep: float = KEEP,
        keep_misses: float = KEEP_MISSES,
        budget: Budget = NO_BUDGET,
        supports_idempotency: bool = False,
        account: str = "",
        webhooks: Webhooks | None = None,
        price: CreditPrice | None = None,
    ) -> None:
        """`url`: the root URL of the service. `memory`: the file that keeps past requests, for
        `keep` seconds. `api`: calls the service in place of HTTP. `supports_idempotency`: the
        service honours `Idempotency-Key`; if False, its responses decide. `account`: distinguishes
        accounts with the same URL and key. `webhooks`: the vendor's callbacks trigger polls.
        `price`: the most that a credit costs."""
        self._api = api or HTTPApi(url.rstrip("/"), api_key, transport)
        self._store = RequestStore(
            memory,
            account_key(url, api_key, account),
            keep=keep,
            supports_idempotency=supports_idempotency,
        )
        self._cipher = BodyCipher(secret=sha256_of("body", url.rstrip("/"), api_key or "", account))
        self._keep_misses = keep_misses
        self._budget = budget
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
            self._tasks.start_soon(self._poller.watch, self._webhooks)
        sender = PostSender(
            api=self._api,
            batches=BatchPoster(self._api, self._tasks),
            store=self._store,
            cipher=self._cipher,
            webhooks=self._webhooks,
        )
        self._submitter = Submitter(
            sender=sender,
            store=self._store,
            budget=self._budget,
            keep_misses=self._keep_misses,
            read=self._get,
            balance=BalanceReader(self._store, self._credits, self._tasks),
            tasks=self._tasks,
        )
        return self

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
        hold = POST_HOLD if wait >= POST_HOLD + RESPONSE_MARGIN else 0
        submission = Submission(body=body, refresh=force_refresh, may_spend=may_spend, hold=hold)
        return await self._request(submission, wait)

    async def _request(self, submission: Submission, wait: float) -> EnrichmentResult:
        until = anyio.current_time() + wait
        result, record = await self._submitter.submit(submission)
        is_dropped = submission.body.callback_url not in (None, result.callback_url)
        if not result.is_final and wait:
            # An error returns the first state, with its id: the next wait raises the error.
            with suppress(EnrichmentError):
                later = await self._wait_for(result.id, until, record)
                charged = 0 if result.reused else later.credits_charged
                result = replace(later, reused=result.reused, credits_charged=charged)
        # An earlier request may have another caller's reference.
        return replace(result, external_id=submission.body.external_id, callback_dropped=is_dropped)

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
        kind = list_type(type, max_credits)
        until = anyio.current_time() + wait
        cap, read_spent = None, None
        if max_credits is not None:
            cap = CreditCap(list_id=list_id or uuid.uuid4().hex, max_credits=max_credits)
            read_spent = partial(self._store.list_credits, cap.list_id)

        async def request(
            item: ListItem, *, may_spend: bool, cap: CreditCap | None
        ) -> EnrichmentResult:
            body = build_request(item.linkedin_url, kind, None, item.external_id)
            submission = Submission(
                body=body, refresh=False, may_spend=may_spend, cap=cap, is_in_list=True
            )
            return await self._request(submission, max(until - anyio.current_time(), 0.0))

        references = chain(external_ids or (), repeat(None))
        items = starmap(ListItem, zip(linkedin_urls, references, strict=False))
        run = ListRun(items, request, cap=cap, read_spent=read_spent, until=until)
        async with aclosing(run.rows(self._tasks)) as rows:
            async for row in rows:
                yield row

    async def preview_many(
        self,
        linkedin_urls: Iterable[str],
        type: EmailType | str,  # noqa: A002
    ) -> ListPreview:
        """Count the rows that `enrich_many` would request, join or answer. Free: only the saved
        state is read."""
        return await preview_list(
            linkedin_urls, list_type(type), self._store.account, self._submitter.forecast
        )

    async def list_credits(self, list_id: str) -> int:
        """The credits that the runs with this `list_id` have cost, or may still cost."""
        return await self._store.list_credits(list_id)

    async def stop(self) -> None:
        """Send no further POST, and wait for the answers to those under way. One whose answer is
        lost is not repeated: its outcome is unknown until its next request. The client is closed
        after this."""
        self._api.in_flight.refuse_posts()
        await self._submitter.drain()

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
        if len(ids) == 1:  # the usual case needs no task
            return [await self._wait_for(ids[0], until, records.get(ids[0]))]
        return await self._wait_for_all(ids, until, records)

    async def _wait_for_all(
        self, ids: Sequence[str], until: float, records: Mapping[str, RequestRecord]
    ) -> list[EnrichmentResult]:
        results: dict[str, EnrichmentResult] = {}
        fatal: list[EnrichmentError] = []

        async def wait_for_one(enrichment_id: str) -> None:
            record = records.get(enrichment_id)
            try:
                results[enrichment_id] = await self._wait_for(enrichment_id, until, record)
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

    async def _credits(self) -> Credits:
        return await with_retries(self._api.credits, seconds=READ_SECONDS)

    async def _get(
        self, enrichment_id: str, record: RequestRecord | None = None
    ) -> EnrichmentResult:
        got = await with_retries(lambda: self._api.get(enrichment_id), seconds=READ_SECONDS)
        if record is None:
            record = (await self._store.find_by_ids([enrichment_id])).get(enrichment_id)
        return await self._complete(got.enrichment, record, duration=None)

    async def _wait_for(
        self, enrichment_id: str, until: float, record: RequestRecord | None
    ) -> EnrichmentResult:
        """Wait until this time of the event loop's clock."""
        if not self._has_durations:
            self._poller.schedule = PollSchedule(await self._store.durations())
            self._has_durations = True
        asked_at = record.asked_at if record else None
        try:
            waited = await self._poller.wait(enrichment_id, until, asked_at=asked_at)
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
            outcome = FinalRequest.of(record, result, duration)
            saved = SharedCall[None]()
            self._tasks.start_soon(saved.run, lambda: self._store.save_outcome(outcome))
            with anyio.move_on_after(SAVE_SECONDS):
                await saved.result_or_error()
            if duration is not None:
                self._poller.schedule.learn(duration)
        return replace(result, asked_at=record.asked_at, type=result.type or record.type)


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
