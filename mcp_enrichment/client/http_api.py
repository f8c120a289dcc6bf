"""The calls of the contract: each sends one HTTP request and returns a model or raises an error."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx
from pydantic import BaseModel, ValidationError

from mcp_enrichment import tracing
from mcp_enrichment.client import errors, retry
from mcp_enrichment.client.results import canonical_or_none
from mcp_enrichment.contract.errors import (
    BadAnswer,
    NotConfirmed,
    OutcomeUnknown,
    RateLimited,
    Unauthorized,
)
from mcp_enrichment.contract.explanation import invalid_setting
from mcp_enrichment.contract.http import BATCH, BATCH_LIMIT, CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import MAX_BATCH, BatchBody, Credits, EnrichmentBody, Status
from mcp_enrichment.contract.pasted_text import api_key_problem
from mcp_enrichment.net.http import CLIENT_SETUP_ERRORS, exchange, http_client
from mcp_enrichment.net.proxies import InvalidNetworkSetting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mcp_enrichment.contract.errors import EnrichmentError
    from mcp_enrichment.contract.models import BatchResult, EnrichmentRequest

M = TypeVar("M", bound=BaseModel)

MAX_IN_FLIGHT = 10
"""Requests to the service that one process has open at once, at most."""
MAX_HOLDS = 8
"""Held requests at once. The rest of the connections stays free for other calls."""
RESPONSE_SECONDS = 10.0
"""Time-out of a GET, without the seconds for which it is held."""
POST_SECONDS = 30.0
"""Time-out of a POST. After it, its outcome is unknown."""

_CALLED = {EnrichmentBody: "enrichment", BatchBody: "enrichments", Credits: "credits"}
"""The name of each call in traces, by its answer."""
_DIGITS = 6
"""A longer limit is cut off, as a number may have a million digits."""
_ADDRESS = re.compile(r"[^@\s*<>]{1,64}@[^@\s*<>]{1,253}")
_NO_URL = "ENRICHMENT_API_URL is not the URL of a server."
_MASK = re.compile(r"email_not_unlocked@", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class PostResult:
    """The response to a POST."""

    enrichment: EnrichmentBody
    supports_idempotency: bool
    """The service has honoured the `Idempotency-Key`: the POST can be repeated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollResult:
    """The response to a poll."""

    enrichment: EnrichmentBody
    held: bool
    """The service has applied `Prefer: wait` (RFC 7240)."""


class InFlight:
    """The calls of one client that are in flight."""

    def __init__(self) -> None:
        self._limit = anyio.Semaphore(MAX_IN_FLIGHT, fast_acquire=True)
        self._holds = 0
        self._refuses_posts = False

    def refuse_posts(self) -> None:
        """Send no POST from now on: each raises `NotConfirmed`. Those that are sent go on."""
        self._refuses_posts = True

    @property
    def may_hold(self) -> bool:
        """Whether a connection can be spared for a call that the service holds."""
        return self._holds < MAX_HOLDS and not self._limit.statistics().tasks_waiting

    @asynccontextmanager
    async def one(self, *, hold: int = 0, spends: bool = False) -> AsyncIterator[None]:
        """Wait for a connection, and use it for a call that may be held for so many seconds.

        `spends`: it is a POST.
        """
        self._holds += bool(hold)
        try:
            async with self._limit:
                if spends and self._refuses_posts:
                    raise NotConfirmed
                yield
        finally:
            self._holds -= bool(hold)


class HTTPApi:
    """A `ServiceApi` over HTTP."""

    def __init__(
        self, url: str, api_key: str | None, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        """Raises `Unauthorized` if the key, URL, proxy or certificate setting is invalid."""
        if api_key and (fault := api_key_problem(api_key)):
            raise Unauthorized(invalid_setting(fault))
        headers = {"x-api-key": api_key} if api_key else {}
        try:
            self._http = http_client(url, headers, transport)
            # httpx parses a URL at each call unless it is given one that is parsed.
            self._enrichments = httpx.URL(url.rstrip("/") + ENRICHMENTS)
            self._batches = httpx.URL(url.rstrip("/") + BATCH)
            self._credits = httpx.URL(url.rstrip("/") + CREDITS)
        except InvalidNetworkSetting as wrong:
            raise Unauthorized(invalid_setting(str(wrong))) from wrong
        except CLIENT_SETUP_ERRORS as error:
            raise Unauthorized(invalid_setting(_NO_URL)) from error
        self.in_flight = InFlight()
        self._rate_limited_until = 0.0
        self._rate_limits = 0
        self.batch_limit = 0

    async def aclose(self) -> None:
        await self._http.aclose()

    async def post(self, request: EnrichmentRequest, *, key: str, hold: int = 0) -> PostResult:
        body = request.model_dump(mode="json", exclude_none=True)
        hold = hold if self.in_flight.may_hold else 0
        answer, headers = await self._call(
            EnrichmentBody,
            "POST",
            self._enrichments,
            json=body,
            headers={"idempotency-key": key} | ({"prefer": f"wait={hold}"} if hold else {}),
            hold=hold,
            seconds=POST_SECONDS,
        )
        return PostResult(enrichment=answer, supports_idempotency="idempotent-replayed" in headers)

    async def post_batch(
        self, posts: Sequence[tuple[EnrichmentRequest, str]]
    ) -> Sequence[PostResult | EnrichmentError]:
        items = [
            request.model_dump(mode="json", exclude_none=True) | {"idempotency_key": key}
            for request, key in posts
        ]
        answer, _ = await self._call(
            BatchBody, "POST", self._batches, json={"requests": items}, seconds=POST_SECONDS
        )
        asked = [request for request, _key in posts]
        if len(answer.results) != len(posts) or not all(map(_is_about, answer.results, asked)):
            raise OutcomeUnknown
        return [_post_result(result) for result in answer.results]

    async def get(self, enrichment_id: str, *, hold: int = 0) -> PollResult:
        answer, headers = await self._call(
            EnrichmentBody,
            "GET",
            f"{self._enrichments}/{enrichment_id}",
            headers={"prefer": f"wait={hold}"},
            hold=hold,
            seconds=RESPONSE_SECONDS,
        )
        if answer.id != enrichment_id or not has_usable_email(answer):
            raise BadAnswer
        return PollResult(enrichment=answer, held="preference-applied" in headers)

    async def credits(self) -> Credits:
        return (await self.credits_and_date())[0]

    async def credits_and_date(self) -> tuple[Credits, str | None]:
        """Read the balance and the header `Date`."""
        answer, headers = await self._call(Credits, "GET", self._credits, seconds=RESPONSE_SECONDS)
        return answer, headers.get("date")

    async def _call(
        self,
        model: type[M],
        method: str,
        url: httpx.URL | str,
        *,
        seconds: float,
        hold: int = 0,
        **options: Any,
    ) -> tuple[M, httpx.Headers]:
        called = _CALLED[model]
        spends = method == "POST"
        with tracing.span(f"{method} {called}", tracing.SpanKind.CLIENT):
            left = self._rate_limited_until - anyio.current_time()
            if left > 0:  # a 429 holds for the account
                raise RateLimited(retry_after=left)
            options["headers"] = options.get("headers", {}) | tracing.headers()
            try:
                async with self.in_flight.one(hold=hold, spends=spends):
                    response, body = await exchange(
                        self._http, method, url, seconds=seconds + hold, **options
                    )
            except NotConfirmed:
                raise
            except Exception as error:  # after any exception a POST may have been sent
                raise errors.from_exception(error, spends=spends) from error
            tracing.annotate({"http.response.status_code": response.status_code})
            if (limit := response.headers.get(BATCH_LIMIT, "")).isdecimal():
                self.batch_limit = min(int(limit[:_DIGITS]), MAX_BATCH)
            if not response.is_success:
                names_an_id = model is EnrichmentBody and not spends
                refused = errors.error_from_response(
                    response.status_code,
                    response.headers,
                    body,
                    spends=spends,
                    names_an_id=names_an_id,
                )
                self._save_rate_limit(refused)
                raise refused
            self._rate_limits = 0
            try:
                return model.model_validate_json(body), response.headers
            except ValidationError as error:
                # The request was accepted, but its id is lost.
                raise (OutcomeUnknown if spends else BadAnswer)() from error

    def _save_rate_limit(self, refused: EnrichmentError) -> None:
        if isinstance(refused, RateLimited):
            self._rate_limits += 1
            pause = retry.backoff(refused, self._rate_limits) or 0.0
            self._rate_limited_until = max(self._rate_limited_until, anyio.current_time() + pause)


def _post_result(result: BatchResult) -> PostResult | EnrichmentError:
    if result.enrichment is None:
        return errors.error_from_result(result)
    has_key = result.idempotent_replayed is not None
    return PostResult(enrichment=result.enrichment, supports_idempotency=has_key)


def _is_about(result: BatchResult, asked: EnrichmentRequest) -> bool:
    """Whether this may be the result of the request: else a person would get another's email."""
    profile = result.enrichment and canonical_or_none(result.enrichment.linkedin_url)
    return profile in (None, asked.linkedin_url)


def has_usable_email(enrichment: EnrichmentBody) -> bool:
    """Whether the request has a plausible email that is not masked, if it is completed."""
    if enrichment.status is not Status.COMPLETED:
        return True
    address = enrichment.email.email if enrichment.email else ""
    is_plausible = address.isprintable() and _ADDRESS.fullmatch(address)
    return bool(is_plausible) and not _MASK.match(address)
