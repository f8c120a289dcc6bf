"""The model gets a correct result for each fault of a server, and no request is needless."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.abc import SocketAttribute

from mcp_enrichment.client import client, poll_schedule, post_sender, retry, submitter
from mcp_enrichment.settings import Settings
from tests.mcp.faces import ADA, ID, WORK, data_of, error_of, face, text_of, wire
from tests.support.scripted_server import ScriptedServer, breaks_off, replies, resets
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anyio.abc import SocketStream
    from mcp import Client
    from mcp.types import CallToolResult

    from tests.support.scripted_server import Behaviour

pytestmark = pytest.mark.anyio

PAGE = b"<!doctype html><title>Bad Gateway</title>"
PENDING, FOUND = replies(200, wire("processing")), replies(200, wire("completed"))
ACCEPTED = replies(201, wire("pending"))
REQUEST = ("request_email_enrichment", WORK | {"wait_seconds": 50})
ONLY_REQUEST = ("request_email_enrichment", WORK | {"wait_seconds": 0})
WAIT = ("wait_for_enrichment", {"ids": [ID], "timeout_seconds": 50})
GET = ("get_enrichment", {"id": ID})


@dataclass(frozen=True)
class Fault:
    """The behaviour of the server, and the result of the call."""

    call: tuple[str, dict[str, Any]]
    far_end: Sequence[Behaviour]
    gets: str
    """The code of an error, or the status of an answer."""
    seen: str
    """The methods of the requests that the server received, in order."""


FAULTS = {
    "reset after the body was sent": Fault(REQUEST, [resets()], "outcome_unknown", "POST"),
    "half an answer to the POST": Fault(REQUEST, [breaks_off()], "outcome_unknown", "POST"),
    "half an answer to a read": Fault(
        REQUEST, [ACCEPTED, breaks_off(), FOUND], "completed", "POST GET GET"
    ),
    "429 in seconds": Fault(
        REQUEST,
        [replies(429, b"", {"retry-after": "1"}), ACCEPTED, FOUND],
        "completed",
        "POST POST GET",
    ),
    "429 as a date": Fault(
        REQUEST,
        [
            replies(429, b"", {"retry-after": formatdate(time.time() + 86_400, usegmt=True)}),
        ],
        "rate_limited",
        "POST",
    ),
    "500 with HTML": Fault(REQUEST, [replies(500, PAGE)], "outcome_unknown", "POST"),
    "502 with HTML": Fault(REQUEST, [replies(502, PAGE)], "outcome_unknown", "POST"),
    "503 with HTML": Fault(
        REQUEST, [replies(503, PAGE), ACCEPTED, FOUND], "completed", "POST POST GET"
    ),
    "500, 502 and 503 while it is waited for": Fault(
        REQUEST,
        [ACCEPTED, replies(500, PAGE), replies(502, PAGE), replies(503, PAGE), FOUND],
        "completed",
        "POST GET GET GET GET",
    ),
    "401 in the middle": Fault(WAIT, [PENDING, replies(401, PAGE)], "unauthorized", "GET GET"),
    "401 in the middle of a request": Fault(
        REQUEST, [ACCEPTED, PENDING, replies(401, PAGE)], "pending", "POST GET GET"
    ),
    "404 after a 201": Fault(REQUEST, [ACCEPTED, replies(404, PAGE)], "pending", "POST GET"),
    "404 for an id": Fault(WAIT, [replies(404, PAGE)], "unknown_enrichment", "GET"),
    "JSON that is no object": Fault(REQUEST, [replies(201, [1])], "outcome_unknown", "POST"),
    "a read that is no object": Fault(GET, [replies(200, [1])], "bad_answer", "GET"),
    "an unknown status": Fault(WAIT, [replies(200, wire("queued")), FOUND], "completed", "GET GET"),
    "a status that goes back": Fault(
        REQUEST,
        [ACCEPTED, PENDING, replies(200, wire("pending")), FOUND],
        "completed",
        "POST GET GET GET",
    ),
    "completed without an email": Fault(
        GET, [replies(200, wire("completed", email=None))], "bad_answer", "GET"
    ),
    "a mask for an email": Fault(
        GET, [replies(200, wire("completed", email="a***@example.com"))], "bad_answer", "GET"
    ),
    "a placeholder for an email": Fault(
        GET,
        [replies(200, wire("completed", email="email_not_unlocked@example.com"))],
        "bad_answer",
        "GET",
    ),
}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_BACKOFF", 0.02)
    monkeypatch.setattr(retry, "LONGEST_BACKOFF", 0.05)


def _outcome_of(result: CallToolResult) -> str:
    if result.is_error:
        return str(error_of(result)["code"])
    data = data_of(result)
    return str((data.get("enrichments") or [data])[0]["status"])


@pytest.mark.parametrize("name", FAULTS)
async def test_the_model_gets_the_truth_and_the_server_no_request_too_many(
    vendor: ScriptedServer, remote: Settings, name: str
) -> None:
    fault = FAULTS[name]
    vendor.will(*fault.far_end)
    async with face(remote, "auto") as it:
        with anyio.fail_after(HANG):
            result = await it.call_tool(*fault.call)
    assert _outcome_of(result) == fault.gets
    assert " ".join(seen.method for seen in vendor.seen) == fault.seen
    assert "***" not in text_of(result)
    assert "not_unlocked" not in text_of(result)


async def test_an_unusable_address_that_a_request_ended_with_may_have_cost_a_credit(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.will(replies(201, wire("completed", email="a***@example.com")))
    error = error_of(await buyer.call_tool(*ONLY_REQUEST))
    assert (error["code"], error["charged"]) == ("bad_answer", None)
    assert "One credit may have been charged" in error["sentence"]
    assert len(vendor.posts) == 1


async def test_a_refused_connection_is_an_outage_and_nothing_was_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_sender, "POST_RETRY_SECONDS", 0.2)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    settings = Settings(api_url=url, api_key="a-key", state_dir=tmp_path)
    async with face(settings, "auto") as it:
        error = error_of(await it.call_tool(*ONLY_REQUEST))
    assert (error["code"], error["retryable"], error["charged"]) == (
        "service_unavailable",
        True,
        False,
    )


async def test_a_connection_that_is_reset_before_the_body_was_read_is_an_unknown_outcome(
    tmp_path: Path,
) -> None:
    connections = 0

    async def reset(stream: SocketStream) -> None:
        nonlocal connections
        connections += 1
        async with stream:
            raw = stream.extra(SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    settings = Settings(api_url=url, api_key="a-key", state_dir=tmp_path)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, reset)
        async with face(settings, "auto") as it:
            error = error_of(await it.call_tool(*ONLY_REQUEST))
        tasks.cancel_scope.cancel()
    assert (error["code"], error["charged"]) == ("outcome_unknown", None)
    assert connections == 1


async def test_a_server_that_is_down_in_the_middle_is_waited_out(
    vendor: ScriptedServer, buyer: Client
) -> None:
    vendor.will(PENDING, *[resets()] * 20, FOUND)
    waited = data_of(
        await buyer.call_tool("wait_for_enrichment", {"ids": [ID], "timeout_seconds": 50})
    )
    assert waited["enrichments"][0]["email"] == "ada.okafor@example.com"
    assert len(vendor.seen) == 22


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
async def test_a_clock_that_jumps_neither_loses_an_answer_nor_pays_twice(
    vendor: ScriptedServer, buyer: Client, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    vendor.will(ACCEPTED, PENDING, PENDING, FOUND, FOUND)
    first = data_of(await buyer.call_tool(*ONLY_REQUEST))
    monkeypatch.setattr(poll_schedule, "LONGEST_PAUSE", 0.2)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    waited = data_of(
        await buyer.call_tool("wait_for_enrichment", {"ids": first["id"], "timeout_seconds": 50})
    )
    assert waited["all_final"]
    assert data_of(await buyer.call_tool(*ONLY_REQUEST))["reused"]
    assert len(vendor.posts) == 1


@pytest.mark.usefixtures("waits_from_first_read")
async def test_after_twenty_minutes_the_model_is_told_to_come_back_later(
    vendor: ScriptedServer, buyer: Client
) -> None:
    old = replies(200, wire("processing", created_at=time.time() - 20 * 60))
    vendor.always(old)
    told = data_of(await buyer.call_tool(*GET))
    assert told["next_step"].startswith("Not final after 20 minutes.")
    assert "do not request it again" in told["next_step"]
    arguments = {"ids": [ID], "timeout_seconds": 1}
    waited = data_of(await buyer.call_tool("wait_for_enrichment", arguments))
    assert "Stop waiting" in told["next_step"]
    assert "Stop waiting" in waited["next_step"]


@pytest.mark.usefixtures("waits_from_first_read")
async def test_while_one_of_many_is_young_the_model_is_told_to_wait_again(
    vendor: ScriptedServer, buyer: Client
) -> None:
    async def old_or_young(stream: SocketStream, seen: Any) -> None:
        name = seen.path.rpartition("/")[2]
        age = 20 * 60 if name == "old" else 0
        body = wire("processing", created_at=time.time() - age) | {"_id": name}
        await replies(200, body)(stream, seen)

    vendor.always(old_or_young)
    arguments = {"ids": ["old", "young"], "timeout_seconds": 1}
    waited = data_of(await buyer.call_tool("wait_for_enrichment", arguments))
    assert "Call wait_for_enrichment again" in waited["next_step"]


async def test_an_enrichment_that_the_server_has_forgotten_is_said_and_asked_anew(
    vendor: ScriptedServer, buyer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitter, "REPLICATION_LAG_SECONDS", 0)
    monkeypatch.setattr(client, "READ_SECONDS", 0)
    vendor.will(ACCEPTED, replies(404, PAGE), ACCEPTED)
    await buyer.call_tool(*ONLY_REQUEST)
    error = error_of(await buyer.call_tool(*ONLY_REQUEST))
    assert error["code"] == "unknown_enrichment"
    assert "no longer knows" in error["sentence"]
    assert not data_of(await buyer.call_tool(*ONLY_REQUEST))["reused"]
    assert all(seen.json["linkedin_url"] == ADA for seen in vendor.posts)
