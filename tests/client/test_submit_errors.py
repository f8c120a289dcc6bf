"""Errors while a request is submitted: a POST that may have arrived is never repeated."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import pytest

from mcp_enrichment.client import http_api, post_sender, retry
from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.contract.errors import (
    BadAnswer,
    CallbackRefused,
    EnrichmentError,
    InsufficientCredits,
    InvalidArguments,
    InvalidProfileURL,
    OutcomeUnknown,
    RateLimited,
    ServiceUnavailable,
    StorageFailed,
    Unauthorized,
)
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import HTML, PROFILE, accepts, enrichment
from tests.support.passing_time import until_given_up
from tests.support.response_faults import BOMB, NO_ANSWER, PACKED
from tests.support.scripted_server import Behaviour, ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

NO_ID = {"status": "pending", "linkedin_url": PROFILE}


def _refusal(status: int, code: str) -> Behaviour:
    return replies(status, {"error": {"code": code, "message": "Nobody may read this."}})


MAY_HAVE_ARRIVED: dict[str, Behaviour] = {
    **NO_ANSWER,
    "599": replies(599),
    "303": replies(303, b"", {"location": "/elsewhere"}),
    "200, an HTML page": replies(200, HTML),
    "201, no JSON": replies(201, b"{'_id': 1}"),
    "201, a list": replies(201, [enrichment()]),
    "201, no id": replies(201, NO_ID),
    "201, no body": replies(201),
    "201, an id with a slash": replies(201, enrichment("../credits")),
    "201, an id with a line break": replies(201, enrichment("e1\n")),
    "201, an id of 3 kB": replies(201, enrichment("e" * 3000)),
    "201, an id that is a number": replies(201, NO_ID | {"_id": 7}),
    "201, 3 MB": replies(201, enrichment() | {"more": "x" * 3_000_000}),
    "201, a packed bomb": replies(201, BOMB, PACKED),
}

REFUSED: dict[str, tuple[Behaviour, type[EnrichmentError]]] = {
    "400": (replies(400, HTML), InvalidArguments),
    "a profile URL": (_refusal(400, "invalid_profile_url"), InvalidProfileURL),
    "a callback URL": (_refusal(400, "invalid_callback_url"), CallbackRefused),
    "401": (replies(401, HTML), Unauthorized),
    "402": (_refusal(402, "insufficient_credits"), InsufficientCredits),
    "402 with 3 MB": (replies(402, b"x" * 3_000_000), InsufficientCredits),
    "403": (replies(403, HTML), Unauthorized),
    "404": (replies(404, HTML), BadAnswer),
    "405": (replies(405, HTML), InvalidArguments),
    "413": (replies(413, HTML), InvalidArguments),
    "415": (replies(415, HTML), InvalidArguments),
    "422": (replies(422, HTML), InvalidArguments),
    "302": (replies(302, b"", {"location": "/login"}), BadAnswer),
    "307": (replies(307, b"", {"location": "/elsewhere"}), BadAnswer),
    "a full disk": (_refusal(503, "storage_full"), StorageFailed),
}

SURELY_NOT_BEGUN = {"408": 408, "425": 425, "429": 429, "503": 503}


@pytest.mark.parametrize("fault", MAY_HAVE_ARRIVED)
async def test_a_post_that_may_have_arrived_is_never_repeated(
    client: EnrichmentClient, vendor: ScriptedServer, fault: str
) -> None:
    vendor.will(until_given_up(MAY_HAVE_ARRIVED[fault], http_api.POST_SECONDS))
    for _ in range(3):
        with anyio.fail_after(HANG), pytest.raises(OutcomeUnknown) as caught:
            await client.request(PROFILE, EmailType.WORK)
        assert caught.value.charged is None
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_refused_request_is_reported_and_not_saved(
    client: EnrichmentClient, vendor: ScriptedServer, fault: str
) -> None:
    behaviour, kind = REFUSED[fault]
    vendor.will(behaviour)
    with anyio.fail_after(HANG), pytest.raises(EnrichmentError) as caught:
        await client.request(PROFILE, EmailType.WORK)
    assert caught.type is kind
    assert caught.value.charged is False
    assert "Nobody" not in str(caught.value)
    assert len(vendor.seen) == 1
    vendor.will(accepts())
    answer = await client.request(PROFILE, EmailType.WORK)
    assert (answer.id, answer.reused) == ("e1", False)


@pytest.mark.parametrize("fault", SURELY_NOT_BEGUN)
async def test_a_post_that_certainly_started_nothing_is_retried(
    client: EnrichmentClient, vendor: ScriptedServer, fault: str
) -> None:
    busy = replies(SURELY_NOT_BEGUN[fault], HTML)
    vendor.will(busy, busy, accepts())
    with anyio.fail_after(HANG):
        assert (await client.request(PROFILE, EmailType.WORK)).id == "e1"
    assert len(vendor.posts) == 3
    assert len({post.headers["idempotency-key"] for post in vendor.posts}) == 1


async def test_a_server_that_stays_busy_is_reported_and_the_request_can_be_repeated(
    client: EnrichmentClient, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.1)
    vendor.always(replies(429, HTML))
    with anyio.fail_after(HANG), pytest.raises(RateLimited):
        await client.request(PROFILE, EmailType.WORK)
    vendor.always(accepts())
    assert (await client.request(PROFILE, EmailType.WORK)).id == "e1"


async def test_a_server_that_comes_up_late_is_asked_once(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = anyio.Event()
    decide = retry.backoff

    def pause_after(error: EnrichmentError, failures: int) -> float | None:
        assert isinstance(error, ServiceUnavailable)
        if failures == 3:
            refused.set()
        return decide(error, failures)

    monkeypatch.setattr(retry, "backoff", pause_after)
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    end = ScriptedServer(url=f"http://127.0.0.1:{port}")
    end.will(accepts())
    async with EnrichmentClient(end.url, memory=memory) as client, anyio.create_task_group() as t:

        async def comes_up() -> None:
            await refused.wait()
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
            async with listener:
                await listener.serve(end.serve)

        t.start_soon(comes_up)
        with anyio.fail_after(HANG):
            assert (await client.request(PROFILE, EmailType.WORK)).id == "e1"
        t.cancel_scope.cancel()
    assert len(end.posts) == 1


async def test_a_server_that_is_down_is_reported_and_the_request_can_be_repeated(
    memory: Path, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.1)
    async with EnrichmentClient("http://127.0.0.1:1", memory=memory) as client:
        for _ in range(2):  # the network refuses the second one again, and not the state file
            with anyio.fail_after(HANG), pytest.raises(ServiceUnavailable) as caught:
                await client.request(PROFILE, EmailType.WORK)
            assert caught.value.charged is False


async def test_a_connection_reset_before_the_body_was_read_is_not_tried_again(
    memory: Path,
) -> None:
    connections = []

    async def reset(stream: anyio.abc.SocketStream) -> None:
        connections.append(stream)
        raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, reset)
        async with EnrichmentClient(url, memory=memory) as client:
            for _ in range(2):
                with anyio.fail_after(HANG), pytest.raises(OutcomeUnknown):
                    await client.request(PROFILE, EmailType.WORK)
        tasks.cancel_scope.cancel()
    assert len(connections) == 1
