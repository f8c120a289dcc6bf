"""One look at a server: whether it answers, and whether its clock agrees. It costs nothing."""

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
    """What a server that answers was seen to say."""

    balance: int
    seconds: float
    """From the question to the answer."""
    ahead: float | None
    """Seconds by which this machine's clock is ahead of the server's; None where it tells no time.
    The header counts whole seconds, so one more or less means nothing."""


class Obstacle(StrEnum):
    """What keeps a server from being reached."""

    NAME = "name"
    """No address is known for its name."""
    CERTIFICATE = "certificate"
    """What answers cannot prove that it is the server."""
    PROXY = "proxy"
    """The proxy between does not let it through."""
    TIME = "time"
    """No answer came in time."""
    CONNECTION = "connection"
    """Nothing accepts a connection there."""
    SERVER = "server"
    """It answers that it cannot work."""


_OBSTACLES: dict[type[BaseException] | tuple[type[BaseException], ...], Obstacle] = {
    socket.gaierror: Obstacle.NAME,
    ssl.SSLError: Obstacle.CERTIFICATE,
    httpx.ProxyError: Obstacle.PROXY,
    (httpx.TimeoutException, TimeoutError): Obstacle.TIME,
    httpx.TransportError: Obstacle.CONNECTION,
}


async def probe(url: str, api_key: str | None) -> ProbeResult:
    """Ask for the balance, once. Raises errors of `mcp_enrichment.contract.errors`."""
    wire = HTTPApi(url, api_key, None)
    try:
        began = time.time()
        credits_now, date = await wire.credits_and_date()
        ended = time.time()
    finally:
        await wire.aclose()
    ahead = None if date is None else _ahead(date, (began + ended) / 2)
    return ProbeResult(balance=credits_now.balance, seconds=ended - began, ahead=ahead)


def diagnose(error: BaseException) -> Obstacle:
    """What kept the server from being reached, from the exceptions behind `error`."""
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
