"""One free call that checks whether a service responds and whether its clock agrees with ours."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import httpx

from mcp_enrichment.client.http_api import HTTPApi

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeResult:
    """The response of a service."""

    balance: int
    seconds: float
    """From the request to the response."""
    ahead: float | None
    """Seconds by which this machine's clock is ahead of the service's; None without a `Date`.
    The header has whole seconds, so the error is one second."""


class Obstacle(StrEnum):
    """Why a service cannot be reached."""

    NAME = "name"
    """DNS has no IP address for its host."""
    CERTIFICATE = "certificate"
    """Its certificate is not valid."""
    PROXY = "proxy"
    """The proxy refuses the connection."""
    TIME = "time"
    """A time-out."""
    CONNECTION = "connection"
    """No connection is accepted."""
    SERVER = "server"
    """It responds with a server error."""


_OBSTACLES: dict[type[BaseException] | tuple[type[BaseException], ...], Obstacle] = {
    socket.gaierror: Obstacle.NAME,
    ssl.SSLError: Obstacle.CERTIFICATE,
    httpx.ProxyError: Obstacle.PROXY,
    (httpx.TimeoutException, TimeoutError): Obstacle.TIME,
    httpx.TransportError: Obstacle.CONNECTION,
}


async def probe(url: str, api_key: str | None) -> ProbeResult:
    """Read the balance once. Raises errors of `mcp_enrichment.contract.errors`."""
    api = HTTPApi(url, api_key, None)
    try:
        began = time.time()
        credits_now, date = await api.credits_and_date()
        ended = time.time()
    finally:
        await api.aclose()
    ahead = None if date is None else _ahead(date, (began + ended) / 2)
    return ProbeResult(balance=credits_now.balance, seconds=ended - began, ahead=ahead)


def diagnose(error: BaseException) -> Obstacle:
    """Why the service could not be reached, from the causes of `error`."""
    causes = list(_causes(error))
    for kinds, obstacle in _OBSTACLES.items():
        if any(isinstance(cause, kinds) for cause in causes):
            return obstacle
    return Obstacle.SERVER


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _ahead(date: str, now: float) -> float | None:
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
