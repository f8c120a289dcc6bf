"""The client of the contract: asks, waits and reads, and never pays twice for one question."""

from __future__ import annotations

import hmac
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import anyio

from mcp_enrichment.client.concurrency import BatchLoader, SingleFlight
from mcp_enrichment.client.http_api import HTTPApi
from mcp_enrichment.client.poll_schedule import PollSchedule
from mcp_enrichment.client.poller import NoResponseYet, Poller
from mcp_enrichment.client.post_sender import PostSender, Submission
from mcp_enrichment.client.results import EnrichmentResult, as_reused, from_response
from mcp_enrichment.client.retry_call import with_retries
from mcp_enrichment.client.state.body_cipher import BodyCipher
from mcp_enrichment.client.state.records import dedup_key, hash_parts
from mcp_enrichment.client.state.requests import KEEP, RequestOutcome, RequestStore
from mcp_enrichment.client.state.spending import Budget, CreditsView
from mcp_enrichment.client.submitter import Submitter, is_young
from mcp_enrichment.client.validation import build_request, validate_id
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
    from collections.abc import Collection, Hashable, Iterable, Mapping
    from pathlib import Path

    import httpx

    from mcp_enrichment.client.state.records import RequestRecord
    from mcp_enrichment.client.webhooks import Webhooks
    from mcp_enrichment.contract.models import Credits, EnrichmentBody, EnrichmentRequest

READ_SECONDS = 10.0
"""How long a read that fails in passing is tried again."""
NOTE_SECONDS = 0.25
"""For which an answer waits until its end is written down, which happens all the same: answers of a
busy moment would otherwise come after the caps of their calls."""
KEEP_MISSES = 30 * 86_400.0
"""Seconds for which a miss is answered from the memory."""
NO_BUDGET = Budget()


class EnrichmentClient:
    """Talks to one account of one server. Use it as an async context manager.

    Every call raises errors of `mcp_enrichment.contract.errors` and no others.
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
        pushes: Webhooks | None = None,
    ) -> None:
        """`url`: the server's root. `memory`: the file that remembers what was asked, for `keep`
        seconds. `supports_idempotency`: the server honours `Idempotency-Key`; otherwise its
        answers tell. `account`: tells accounts apart that share a URL and a key. `pushes`: ends
        are told there too."""
        self._wire = HTTPApi(url.rstrip("/"), api_key, transport)
        self._memory = RequestStore(memory, account_key(url, api_key, account), keep=keep)
        self._seal = BodyCipher(secret=hash_parts("body", url.rstrip("/"), api_key or "", account))
        self._keep_misses = keep_misses
        self._budget = budget
        self._supports_idempotency = supports_idempotency
        self._has_learned = False
        self._pushes = pushes
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._tasks = await self._exits.enter_async_context(anyio.create_task_group())
        self._polls = Poller(self._wire, self._tasks, self._pushes)
        if self._pushes:
            self._tasks.start_soon(self._pushes.watch, self._polls)
        self._in_flight: SingleFlight[EnrichmentResult] = SingleFlight(self._tasks)
        self._asked_with: dict[Hashable, EnrichmentRequest] = {}
        # Whoever waits begins and ends with the file: thousands do so at the same time.
        self._seen = BatchLoader(self._memory.find_by_ids, self._tasks)
        self._ends = BatchLoader(self._memory.save_outcomes, self._tasks)
        self._asking = Submitter(
            posting=PostSender(
                wire=self._wire, memory=self._memory, cipher=self._seal, pushes=self._pushes
            ),
            memory=self._memory,
            budget=self._budget,
            keep_misses=self._keep_misses,
            supports_idempotency=self._supports_idempotency,
            read=self.get,
            credits=self._credits,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._tasks.cancel_scope.cancel()
        await self._exits.aclose()
        await self._wire.aclose()

    async def request(
        self,
        linkedin_url: str,
        type: EmailType,  # noqa: A002 (the contract's name)
        *,
        callback_url: str | None = None,
        external_id: str | None = None,
        force_refresh: bool = False,
        may_spend: bool = True,
        wait: float = 0,
    ) -> EnrichmentResult:
        """Ask for an address, and wait up to so many seconds for the final answer.

        A question that is running, was answered, or was missed lately is not asked again; a new one
        costs a credit when an address is found. `force_refresh` asks anew what has ended. Without
        `may_spend` a new one raises `NotConfirmed`, and nothing is sent.
        """
        body = build_request(linkedin_url, type, callback_url, external_id)
        hashed = dedup_key(self._memory.account, body.linkedin_url, body.type)
        question = Submission(dedup_key=hashed, body=body, may_spend=may_spend)
        until = anyio.current_time() + wait
        answer = await self._asked(question, refresh=force_refresh)
        is_dropped = callback_url not in (None, answer.callback_url)
        if not answer.is_final and wait:
            answer = await self._follow(answer, until - anyio.current_time())
        # An earlier request may bear the reference of another caller.
        return replace(answer, external_id=external_id, callback_dropped=is_dropped)

    async def get(self, enrichment_id: str) -> EnrichmentResult:
        """A request as it stands. Never charged."""
        validate_id(enrichment_id)
        got = await with_retries(lambda: self._wire.get(enrichment_id), seconds=READ_SECONDS)
        seen = (await self._seen.add([enrichment_id])).get(enrichment_id)
        return await self._known(got.enrichment, seen, duration=None)

    async def wait(self, enrichment_ids: Iterable[str], seconds: float) -> list[EnrichmentResult]:
        """The requests, in this order, once all are final or the seconds are over. Never charged.

        One that could not be read is told as not final, and why. Raises where none could be, and as
        soon as an id is unknown or the key refused.
        """
        ids, until = list(enrichment_ids), anyio.current_time() + seconds
        for enrichment_id in ids:
            validate_id(enrichment_id)
        known = await self._learned(ids)
        left = max(until - anyio.current_time(), 0.0)
        answers: dict[str, EnrichmentResult] = {}
        fatal: list[EnrichmentError] = []

        async def wait_for_one(enrichment_id: str) -> None:
            seen = known.get(enrichment_id)
            try:
                answers[enrichment_id] = await self._wait_one(enrichment_id, left, seen)
            except (TransientError, BadAnswer) as error:
                answers[enrichment_id] = replace(
                    _as_accepted(seen, enrichment_id), read_error=error
                )
            except EnrichmentError as error:
                fatal.append(error)
                tasks.cancel_scope.cancel()

        if len(ids) == 1:  # as nearly always: it needs no task
            return [await self._wait_one(ids[0], left, known.get(ids[0]))]
        async with anyio.create_task_group() as tasks:
            for enrichment_id in dict.fromkeys(ids):
                tasks.start_soon(wait_for_one, enrichment_id)
        if fatal:
            raise fatal[0]
        _check_any_was_read(answers.values())
        return [answers[enrichment_id] for enrichment_id in ids]

    def signature(self, text: str) -> str:
        """32 hex digits that only clients of the same account can make of this text."""
        return hmac.new(self._memory.account.encode(), text.encode(), "sha256").hexdigest()[:32]

    async def credits(self) -> CreditsView:
        """The account's credits, and what the budget leaves of them."""
        balance = (await self._credits()).balance
        spent = await self._memory.spent_today()
        left = self._budget.left(balance=balance, spent_today=spent)
        return CreditsView(balance=balance, spent_today=spent, left=left)

    async def _asked(self, question: Submission, *, refresh: bool) -> EnrichmentResult:
        """The request for this question; one that another caller is just making is joined."""
        key = (question.dedup_key, refresh, question.may_spend)

        async def ask() -> EnrichmentResult:
            try:
                return await self._asking.ask(question, refresh=refresh)
            finally:
                del self._asked_with[key]

        while True:
            body = self._asked_with.setdefault(key, question.body)
            try:
                answer = await self._in_flight.join(key, ask)
            except InvalidArguments:
                if body == question.body:
                    raise  # else it may be the other's callback_url that was refused
            else:
                return answer if body is question.body else as_reused(answer)

    async def _credits(self) -> Credits:
        return await with_retries(self._wire.credits, seconds=READ_SECONDS)

    async def _learned(self, ids: Iterable[str]) -> Mapping[str, RequestRecord]:
        """What the memory knows of these requests, and how long such ones take."""
        if not self._has_learned:
            self._polls.schedule = PollSchedule(await self._memory.durations())
            self._has_learned = True
        return await self._seen.add(ids)

    def release_waiters(self) -> None:
        """End all waits now, each with what was last seen: the process is about to end."""
        self._polls.release_waiters()

    async def _follow(self, first: EnrichmentResult, seconds: float) -> EnrichmentResult:
        """What has become of a request; as it was first seen where that cannot be told now: its id
        must not be lost, and waiting for it says what is wrong."""
        until = anyio.current_time() + seconds
        try:
            known = await self._learned([first.id])
            left = max(until - anyio.current_time(), 0.0)
            later = await self._wait_one(first.id, left, known.get(first.id))
        except EnrichmentError:
            return first
        charged = 0 if first.reused else later.credits_charged
        return replace(later, reused=first.reused, credits_charged=charged)

    async def _wait_one(
        self, enrichment_id: str, seconds: float, seen: RequestRecord | None
    ) -> EnrichmentResult:
        asked_at = seen.asked_at if seen else None
        try:
            polled = await self._polls.wait(enrichment_id, seconds, asked_at=asked_at)
        except NoResponseYet:
            if seen is None:
                raise
            return _as_accepted(seen, enrichment_id)
        except UnknownEnrichment as error:
            if seen and is_young(seen):
                raise ServiceUnavailable from error
            raise UnknownEnrichment(enrichment_id=enrichment_id) from error
        return await self._known(polled.enrichment, seen, duration=polled.duration)

    async def _known(
        self, wire: EnrichmentBody, seen: RequestRecord | None, *, duration: float | None
    ) -> EnrichmentResult:
        """The answer with what the memory adds to it; its end is written down there."""
        answer = from_response(wire)
        seen = seen or await self._asking.match_result(answer)
        if seen is None:
            return answer
        if answer.is_final and seen.ended_at is None:
            charged = bool(answer.credits_charged)
            ended = RequestOutcome(
                record=seen, status=answer.status, charged=charged, duration=duration
            )
            with anyio.move_on_after(NOTE_SECONDS):
                await self._ends.add([ended])
            if duration is not None:
                self._polls.schedule.learn(duration)
        return replace(answer, asked_at=seen.asked_at, type=answer.type or seen.type)


def account_key(url: str, api_key: str | None, account: str = "") -> str:
    """The hash that stands for an account: who pays, without the key that says so."""
    return hash_parts(url.rstrip("/"), api_key or "", account)


def _check_any_was_read(answers: Collection[EnrichmentResult]) -> None:
    """An outage is never told as an answer: raises where it is all that there is."""
    read_error = [answer.read_error for answer in answers if answer.read_error]
    if read_error and len(read_error) == len(answers):
        raise read_error[-1]


def _as_accepted(seen: RequestRecord | None, enrichment_id: str) -> EnrichmentResult:
    """All that the memory knows of a request whose state could not be asked for."""
    if seen is None:
        return EnrichmentResult(id=enrichment_id, status=Status.PENDING)
    return EnrichmentResult(
        id=enrichment_id, status=Status.PENDING, type=seen.type, asked_at=seen.asked_at
    )
