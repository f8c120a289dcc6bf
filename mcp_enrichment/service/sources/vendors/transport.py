"""Sends requests to a vendor and maps every failure to an outcome of a source. It never raises."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic_core import from_json

from mcp_enrichment.contract.pasted_text import api_key_problem
from mcp_enrichment.net.http import CLIENT_SETUP_ERRORS, PRE_SEND_ERRORS, exchange, http_client
from mcp_enrichment.service.sources.base import Lost, LostReason, Misconfigured, Unavailable
from mcp_enrichment.service.sources.vendors.parsing import (
    OUT_OF_CREDIT,
    REFUSED,
    UnreadableResponse,
    parse,
)
from mcp_enrichment.service.sources.vendors.retry_headers import retry_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")
T = TypeVar("T")
Failure = Unavailable | Lost | Misconfigured

RESPONSE_SECONDS = 45.0
"""The limit for a response. Some vendors look for the person before they respond."""

READABLE_STATUSES = frozenset({200, 201, 202})
"""Statuses whose body is the result."""
_RETRYABLE = frozenset({408, 425, 429, 503})
"""Nothing was done, and a later attempt may succeed."""
_OUTAGE = _RETRYABLE - {429}
"""Those that do not mean too many requests."""
_REFUSED_REQUEST = frozenset({400, 404, 409, 410, 413, 414, 422})
"""This request is refused, for an unknown reason: neither a fault of the key nor a miss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorRequest:
    """One request to a vendor."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    json: Any = None
    may_charge: bool = True
    """Whether it may cost credits. If so, it is not sent again after a lost response."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorResponse:
    """A response. `body` is None if it is not JSON, or too large."""

    status: int
    retry_after: float | None
    """Seconds to wait before another attempt, as the headers say."""
    body: Any
    headers: Mapping[str, str]

    @property
    def is_accepted(self) -> bool:
        """Whether the status is 202: there is no result yet."""
        return self.status == httpx.codes.ACCEPTED

    def parse(self, model: type[M]) -> M:
        """The body as this model. Raises `UnreadableResponse`."""
        return parse(model, self.body)


class VendorTransport:
    """Sends requests to one vendor. No text of a response reaches a log or an error."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        headers: Mapping[str, str],
        status_outcomes: Mapping[int, Failure],
        readable_statuses: frozenset[int],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """`headers` contain the key."""
        self._status_outcomes = status_outcomes
        self._readable = READABLE_STATUSES | readable_statuses
        self._http: httpx.AsyncClient | None = None
        """None: these settings allow no request."""
        if api_key_problem(api_key):
            return  # a placeholder, or not valid in a header
        with suppress(*CLIENT_SETUP_ERRORS):
            self._http = http_client(url, headers, transport)

    async def aclose(self) -> None:
        if self._http:
            await self._http.aclose()

    async def send(
        self, request: VendorRequest, reader: Callable[[VendorResponse], T]
    ) -> T | Failure:
        """The result of `reader` for the response, or the failure."""
        if self._http is None:
            return Misconfigured()
        try:
            response = await _exchange(self._http, request)
        except PRE_SEND_ERRORS:
            return Unavailable()
        except httpx.DecodingError:
            return Lost(why=LostReason.UNREADABLE)
        except Exception:  # noqa: BLE001 (the request may have been sent and charged)
            return _lost(request, LostReason.NO_ANSWER)
        return self._read(request, response, reader)

    def _read(
        self,
        request: VendorRequest,
        response: VendorResponse,
        reader: Callable[[VendorResponse], T],
    ) -> T | Failure:
        if outcome := self._status_outcomes.get(response.status):
            is_wait = isinstance(outcome, Unavailable)
            return Unavailable(retry_after=response.retry_after) if is_wait else outcome
        if response.status not in self._readable:
            return _failure_for_status(request, response)
        try:
            return reader(response)
        except UnreadableResponse:
            return Lost(why=LostReason.UNREADABLE)


def _lost(request: VendorRequest, why: LostReason) -> Failure:
    return Lost(why=why) if request.may_charge else Unavailable()


def _failure_for_status(request: VendorRequest, response: VendorResponse) -> Failure:
    if response.status in _RETRYABLE:
        return Unavailable(retry_after=response.retry_after)
    if response.status == httpx.codes.PAYMENT_REQUIRED:
        return OUT_OF_CREDIT
    if response.status in _REFUSED_REQUEST:
        return REFUSED
    if httpx.codes.is_client_error(response.status):
        return Misconfigured()
    if httpx.codes.is_server_error(response.status):
        return _lost(request, LostReason.FAILED)
    return Lost(why=LostReason.UNREADABLE)


async def _exchange(http: httpx.AsyncClient, request: VendorRequest) -> VendorResponse:
    response, body = await exchange(
        http,
        request.method,
        request.path,
        seconds=RESPONSE_SECONDS,
        params=request.params,
        json=request.json,
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
