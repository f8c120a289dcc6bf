"""The one seam between a vendor's HTTP interface and the answers of a source."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic_core import from_json

from mcp_enrichment.contract.api_key_format import api_key_problem
from mcp_enrichment.net.http import CLIENT_SETUP_ERRORS, PRE_SEND_ERRORS, exchange, http_client
from mcp_enrichment.service.sources.base import Lost, LostReason, Misconfigured, Unavailable
from mcp_enrichment.service.sources.vendors.parsing import OUT_OF_CREDIT, UnreadableResponse
from mcp_enrichment.service.sources.vendors.retry_headers import retry_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
Failure = Unavailable | Lost | Misconfigured

RESPONSE_SECONDS = 45.0
"""How long a vendor may take to answer: some look for the person meanwhile."""

READABLE_STATUSES = frozenset({200, 201, 202})
"""Statuses whose body says what came of the question."""
_RETRYABLE = frozenset({408, 425, 429, 503})
"""Refused before anything was done, and only for now."""
_OUTAGE = _RETRYABLE - {429}
"""Those of them that say nothing of too many questions."""
_REFUSED_REQUEST = frozenset({400, 404, 409, 410, 413, 414, 422})
"""This question is refused, for a reason that is not known: no fault of the key, and no miss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorRequest:
    """One request."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    json: Any = None
    may_charge: bool = True
    """Whether it may cost something: then it is not put again where its answer is lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorResponse:
    """What came back; `body` is None where it is no JSON, or too large."""

    status: int
    retry_after: float | None
    """Seconds for which it asks to wait, for an answer that says that it is not for now."""
    body: Any
    headers: Mapping[str, str]


class VendorTransport:
    """Puts questions to one vendor. It raises nothing, and repeats nothing of what it is told."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        headers: Mapping[str, str],
        says: Mapping[int, Failure],
        reads: frozenset[int],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """`headers` bear the key. `says`: what a status means here, where it means something else
        than usually; `reads`: further statuses whose body is to be read."""
        self._says = says
        self._reads = READABLE_STATUSES | reads
        self._http: httpx.AsyncClient | None = None
        """None: nothing can be asked with these settings."""
        if api_key_problem(api_key):
            return  # no header can carry it, or nobody has filled it in
        with suppress(*CLIENT_SETUP_ERRORS):
            self._http = http_client(url, headers, transport)

    async def aclose(self) -> None:
        if self._http:
            await self._http.aclose()

    async def ask(
        self, question: VendorRequest, reader: Callable[[VendorResponse], T]
    ) -> T | Failure:
        """What `reader` makes of the answer, or why there is none to read."""
        if self._http is None:
            return Misconfigured()
        try:
            answer = await _exchange(self._http, question)
        except PRE_SEND_ERRORS:
            return Unavailable()
        except httpx.DecodingError:
            return Lost(why=LostReason.UNREADABLE)
        except Exception:  # noqa: BLE001 (whatever it is: the question may have left, and been paid)
            return _lost(question, LostReason.NO_ANSWER)
        return self._judged(question, answer, reader)

    def _judged(
        self, question: VendorRequest, answer: VendorResponse, reader: Callable[[VendorResponse], T]
    ) -> T | Failure:
        if said := self._says.get(answer.status):
            is_wait = isinstance(said, Unavailable)
            return Unavailable(retry_after=answer.retry_after) if is_wait else said
        if answer.status not in self._reads:
            return _failure_for_status(question, answer)
        try:
            return reader(answer)
        except UnreadableResponse:
            return Lost(why=LostReason.UNREADABLE)


def _lost(question: VendorRequest, why: LostReason) -> Failure:
    return Lost(why=why) if question.may_charge else Unavailable()


def _failure_for_status(question: VendorRequest, answer: VendorResponse) -> Failure:
    if answer.status in _RETRYABLE:
        return Unavailable(retry_after=answer.retry_after)
    if answer.status == httpx.codes.PAYMENT_REQUIRED:
        return OUT_OF_CREDIT
    if answer.status in _REFUSED_REQUEST:
        return Lost(why=LostReason.REFUSED)
    if httpx.codes.is_client_error(answer.status):
        return Misconfigured()
    if httpx.codes.is_server_error(answer.status):
        return _lost(question, LostReason.FAILED)
    return Lost(why=LostReason.UNREADABLE)


async def _exchange(http: httpx.AsyncClient, question: VendorRequest) -> VendorResponse:
    response, body = await exchange(
        http,
        question.method,
        question.path,
        seconds=RESPONSE_SECONDS,
        params=question.params,
        json=question.json,
    )
    return VendorResponse(
        status=response.status_code,
        retry_after=retry_wait(response.headers, is_limit=response.status_code not in _OUTAGE),
        body=_parse_json(body),
        headers=response.headers,
    )


def _parse_json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
