"""Sends requests to a vendor and maps every failure to an outcome of a source. It never raises."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic_core import from_json

from mcp_enrichment.contract.http import MAX_RETRY_AFTER, parse_retry_after
from mcp_enrichment.contract.pasted_text import api_key_problem
from mcp_enrichment.net.http import CLIENT_SETUP_ERRORS, PRE_SEND_ERRORS, exchange, http_client
from mcp_enrichment.service.sources.base import (
    FAILED,
    OUT_OF_CREDIT,
    REFUSED,
    Failure,
    Lost,
    LostReason,
    Misconfigured,
    Unavailable,
)
from mcp_enrichment.service.sources.vendors.responses import UnreadableResponse, VendorResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


T = TypeVar("T")

RESPONSE_SECONDS = 45.0
"""The limit for a response. Some vendors look for the person before they respond."""

_READABLE_STATUSES = frozenset({200, 201, 202})
"""Statuses whose body is the result."""
_OUTAGES = (408, 425, 503)
"""Nothing was done, and a later attempt may succeed. As with 429, too many requests."""
_OUTCOMES: Mapping[int, Failure] = {
    **dict.fromkeys((*_OUTAGES, 429), Unavailable()),
    402: OUT_OF_CREDIT,
    # For an unknown reason: neither a fault of the key nor a miss.
    **dict.fromkeys((400, 404, 409, 410, 413, 414, 422), REFUSED),
}
"""The meaning of other statuses, unless the vendor declares another one."""


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
        self._readable = _READABLE_STATUSES | readable_statuses
        usual = {code: what for code, what in _OUTCOMES.items() if code not in self._readable}
        self._outcomes = usual | dict(status_outcomes)
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
        self,
        method: str,
        path: str,
        reader: Callable[[VendorResponse], T],
        *,
        may_charge: bool = False,
        **content: Any,
    ) -> T | Failure:
        """The result of `reader` for the response, or the failure.

        `may_charge`: it may cost credits, and is not sent again after a lost response. `content`:
        the `params` and the `json` of httpx.
        """
        if self._http is None:
            return Misconfigured()
        try:
            response = await _exchange(self._http, method, path, content)
        except PRE_SEND_ERRORS:
            return Unavailable()
        except httpx.DecodingError:
            return Lost(why=LostReason.UNREADABLE)
        except Exception:  # noqa: BLE001 (the request may have been sent and charged)
            return Lost(why=LostReason.NO_ANSWER) if may_charge else Unavailable()
        return self._result(response, reader, may_charge=may_charge)

    def _result(
        self, response: VendorResponse, reader: Callable[[VendorResponse], T], *, may_charge: bool
    ) -> T | Failure:
        if outcome := self._outcomes.get(response.status):
            return response.timed(outcome)
        if response.status not in self._readable:
            return _failure(response.status, may_charge=may_charge)
        try:
            return reader(response)
        except UnreadableResponse:
            return Lost(why=LostReason.UNREADABLE)


def _failure(status: int, *, may_charge: bool) -> Failure:
    """The meaning of a status that is not in a table."""
    if httpx.codes.is_client_error(status):
        return Misconfigured()
    if httpx.codes.is_server_error(status):
        return FAILED if may_charge else Unavailable()
    return Lost(why=LostReason.UNREADABLE)


async def _exchange(
    http: httpx.AsyncClient, method: str, path: str, content: Mapping[str, Any]
) -> VendorResponse:
    response, body = await exchange(http, method, path, seconds=RESPONSE_SECONDS, **content)
    return VendorResponse(
        status=response.status_code,
        retry_after=retry_wait(response.headers, is_limit=response.status_code not in _OUTAGES),
        body=_parse_json(body),
        headers=response.headers,
    )


def _parse_json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return None


_WINDOWS = ("second", "minute", "hourly", "daily")
"""In `x-daily-reset-seconds` and `x-daily-request-left` (Prospeo)."""
_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_EPOCH, _EPOCH_MS = 1e9, 1e11
"""From these values on, a number is a time since 1970, in seconds or in milliseconds."""


def retry_wait(headers: Mapping[str, str], *, is_limit: bool) -> float | None:
    """Seconds from now, at most a day; None if no header states them.

    `is_limit`: the response means too many requests. Only then do the headers for the end of a
    window mean that no request succeeds before it.
    """
    stated = [parse_retry_after(headers.get("retry-after"))]
    if is_limit:
        stated.append(_window_end(headers))
    present = [seconds for seconds in stated if seconds is not None]
    if present or not is_limit:
        return max(present, default=None)
    resets = (_seconds(headers.get(name)) for name in _RESETS)
    return next((seconds for seconds in resets if seconds is not None), None)


def _window_end(headers: Mapping[str, str]) -> float | None:
    """The end of the longest window that is used up. If none is stated as such, of the shortest."""
    ends = [
        (end, headers.get(f"x-{window}-request-left"))
        for window in _WINDOWS
        if (end := _seconds(headers.get(f"x-{window}-reset-seconds"))) is not None
    ]
    used_up = [end for end, left in ends if left == "0"]
    unstated = [end for end, left in ends if left is None]
    return max(used_up) if used_up else min(unstated, default=None)


def _seconds(value: str | None) -> float | None:
    """Seconds from now, for a number of seconds, a time since 1970 or a date (ISO 8601 or HTTP)."""
    text = (value or "").strip()
    if text.isascii() and text.replace(".", "", 1).isdecimal():
        number = float(text)
        if number < _EPOCH:
            return min(number, MAX_RETRY_AFTER)
        at = number / 1000 if number >= _EPOCH_MS else number
    else:
        try:
            date = datetime.fromisoformat(text)
            at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return parse_retry_after(value)
    return min(max(at - time.time(), 0.0), MAX_RETRY_AFTER)
