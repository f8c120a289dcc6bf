"""Recorded cases of each vendor, and a transport that leads from its URL to the scripted server.

A file of `cases/` holds the requests that a vendor expects, and its answer in each case. The people
in them are fictional.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.base import (
    Hit,
    InProgress,
    Lost,
    Misconfigured,
    Miss,
    Unavailable,
)
from mcp_enrichment.service.sources.factory import NAMES, create_vendor
from tests.support.scripted_server import replies, scripted_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp_enrichment.service.sources.vendors.base import HTTPVendor
    from tests.support.scripted_server import Behaviour, ScriptedServer

KEY = "sk-test-1"
PROFILE = "https://www.linkedin.com/in/ada-okafor"


class ToFarEnd(httpx.AsyncHTTPTransport):
    """Connects to the scripted server for any URL; the `Host` header stays the vendor's."""

    def __init__(self, port: int) -> None:
        super().__init__(verify=False)
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.scheme == "https"
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await super().handle_async_request(request)


@dataclass(frozen=True)
class Case:
    """One request to one vendor, and its answer."""

    vendor: str
    name: str
    ask: str
    """`work`, `personal`, `collect` or `balance`."""
    email_type: EmailType
    job_id: str
    question: dict[str, Any]
    status: int
    headers: dict[str, str]
    body: Any
    says: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.vendor}: {self.name}"

    @property
    def answer(self) -> Behaviour:
        return replies(self.status, self.body, self.headers)

    async def put_to(self, asked: HTTPVendor) -> Any:
        if self.ask == "balance":
            return await asked.balance()
        if self.ask == "collect":
            return await asked.collect(self.job_id, self.email_type)
        return await asked.find(PROFILE, self.email_type)


def cases_of(name: str) -> list[Case]:
    recorded = json.loads((Path(__file__).parent / "cases" / f"{name}.json").read_text("utf-8"))
    return [
        Case(
            vendor=name,
            name=case["case"],
            ask=case["ask"],
            email_type=EmailType(
                case.get("kind", "personal" if case["ask"] == "personal" else "work")
            ),
            job_id=recorded.get("ticket", ""),
            question=recorded["questions"][case["ask"]],
            status=case["status"],
            headers=case.get("headers", {}),
            body=case["body"],
            says=case["says"],
        )
        for case in recorded["cases"]
    ]


CASES = [case for name in sorted(NAMES) for case in cases_of(name)]


@asynccontextmanager
async def vendor_at_scripted_server(
    name: str, key: str = KEY
) -> AsyncIterator[tuple[HTTPVendor, ScriptedServer]]:
    """A vendor with a scripted server."""
    async with scripted_server() as end:
        asked = create_vendor(name, key, transport=ToFarEnd(end.port))
        try:
            yield asked, end
        finally:
            await asked.aclose()


def as_recorded(outcome: Any) -> dict[str, Any]:
    """An outcome in the form of the recorded cases."""
    told: dict[str, Any]
    match outcome:
        case Hit(email=email, verification=verification, cost=cost, checked_at=checked_at):
            at = {"checked_at": checked_at} if checked_at else {}
            told = {"hit": email, "as": verification.value, "cost": cost, **at}
        case Miss(cost=cost):
            told = {"miss": cost}
        case InProgress(job_id=job_id, poll_after=seconds):
            told = {"working": job_id, "after": seconds}
        case Unavailable(retry_after=seconds):
            told = {"unavailable": seconds}
        case Lost(why=why):
            told = {"lost": why.value}
        case Misconfigured(reason=reason):
            told = {"misconfigured": reason.value}
        case _:
            told = {"balance": outcome}
    return told
