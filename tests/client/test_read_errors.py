"""Errors while an enrichment is read: the caller's result, and the number of requests sent."""

from __future__ import annotations

import gzip
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.client import client as client_module
from mcp_enrichment.client import http_api
from mcp_enrichment.contract.errors import (
    BadAnswer,
    EnrichmentError,
    InsufficientCredits,
    RateLimited,
    ServiceUnavailable,
    Unauthorized,
    UnknownEnrichment,
)
from mcp_enrichment.contract.models import Status
from tests.support.contract_server import ADDRESS, HTML, enrichment, found
from tests.support.passing_time import until_given_up
from tests.support.response_faults import BOMB, NO_ANSWER, PACKED
from tests.support.scripted_server import Behaviour, ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.client.client import EnrichmentClient

pytestmark = pytest.mark.anyio

PACKED_TWICE = {"content-encoding": "gzip, gzip"}

PASSING: dict[str, Behaviour] = {
    **NO_ANSWER,
    "408": replies(408, HTML),
    "429": replies(429, HTML),
    "503": replies(503, HTML),
}

FINAL: dict[str, tuple[Behaviour, type[EnrichmentError]]] = {
    "401": (replies(401, {"error": {"code": "x", "message": "y"}}), Unauthorized),
    "402": (replies(402), InsufficientCredits),
    "403": (replies(403, HTML), Unauthorized),
    "404": (replies(404, HTML), UnknownEnrichment),
    "410": (replies(410), UnknownEnrichment),
    "301": (replies(301, b"", {"location": "/elsewhere"}), BadAnswer),
    "302": (replies(302, HTML, {"location": "https://example.com/login"}), BadAnswer),
    "307": (replies(307, b"", {"location": "/elsewhere"}), BadAnswer),
    "204": (replies(204), BadAnswer),
    "a list": (replies(200, [found()]), BadAnswer),
    "a string": (replies(200, "found"), BadAnswer),
    "null": (replies(200, None), BadAnswer),
    "no JSON": (replies(200, b"{'_id': 1}"), BadAnswer),
    "an HTML page": (replies(200, HTML), BadAnswer),
    "3 MB": (replies(200, found() | {"more": "x" * 3_000_000}), BadAnswer),
    "3 MB of an error": (replies(401, b"x" * 3_000_000), Unauthorized),
    "a packed bomb": (replies(200, BOMB, PACKED), BadAnswer),
    "a bomb packed twice": (replies(200, gzip.compress(BOMB), PACKED_TWICE), BadAnswer),
    "not packed at all": (replies(200, found(), PACKED), BadAnswer),
    "nested too deeply": (replies(200, b"[" * 100_000), BadAnswer),
}


@pytest.mark.parametrize("fault", PASSING)
async def test_a_read_with_a_transient_error_is_retried(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(client_module, "READ_SECONDS", HANG)
    vendor.will(until_given_up(PASSING[fault], http_api.RESPONSE_SECONDS), replies(200, found()))
    with anyio.fail_after(HANG):
        answer = await client.get("e1")
    assert answer.email == ADDRESS
    assert len(vendor.seen) == 2


@pytest.mark.parametrize("fault", FINAL)
async def test_a_read_with_a_permanent_error_is_not_retried(
    client: EnrichmentClient, vendor: ScriptedServer, fault: str
) -> None:
    behaviour, kind = FINAL[fault]
    vendor.will(behaviour)
    with anyio.fail_after(HANG), pytest.raises(EnrichmentError) as caught:
        await client.get("e1")
    assert caught.type is kind
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("fault", PASSING)
async def test_a_lasting_outage_is_reported_as_an_outage(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(client_module, "READ_SECONDS", 1.0)
    vendor.always(until_given_up(PASSING[fault], http_api.RESPONSE_SECONDS))
    with anyio.fail_after(HANG), pytest.raises(EnrichmentError) as caught:
        await client.get("e1")
    assert caught.type is (RateLimited if fault == "429" else ServiceUnavailable)


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
async def test_a_server_that_asks_for_a_pause_gets_it(
    client: EnrichmentClient,
    vendor: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    status: int,
    form: str,
) -> None:
    monkeypatch.setattr(client_module, "READ_SECONDS", HANG)
    until = int(time.time()) + 2
    value = "1" if form == "seconds" else formatdate(until, usegmt=True)
    vendor.will(replies(status, HTML, {"retry-after": value}), replies(200, found()))
    began = time.time()
    assert (await client.get("e1")).email == ADDRESS
    assert time.time() >= (began + 1 if form == "seconds" else until)
    assert len(vendor.seen) == 2


async def test_a_retry_after_that_is_too_long_is_reported_at_once(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(429, b"", {"retry-after": "3600"}))
    with anyio.fail_after(HANG), pytest.raises(RateLimited) as caught:
        await client.get("e1")
    assert caught.value.retry_after == 3600


async def test_a_server_that_answers_as_the_contract_says_is_read_once(
    client: EnrichmentClient, vendor: ScriptedServer
) -> None:
    vendor.will(replies(200, enrichment(status="processing")))
    answer = await client.get("e1")
    assert (answer.status, answer.is_final, answer.email) == (Status.PROCESSING, False, None)
    assert vendor.seen[0].headers["x-api-key"] == "k-secret"
    assert "prefer" in vendor.seen[0].headers
