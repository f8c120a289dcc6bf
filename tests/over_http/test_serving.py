"""MCP over HTTP has the same tools, reports progress, and ends the calls of clients that leave."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from tests.mcp.faces import ERAS, ID, PATIENT, data_of, error_of, wire
from tests.over_http.served import call, served, talking
from tests.support.scripted_server import ReceivedRequest, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio
WAIT = {"ids": [ID], "timeout_seconds": 50}


def _vendors(vendor: ScriptedServer) -> dict[str, str]:
    return {"API_URL": vendor.url, "API_KEY": "a-key", "HTTP_OPEN": "true"}


class Holds:
    """A vendor that holds its answers, and notices clients that leave."""

    def __init__(self) -> None:
        self.asked, self.hung_up = anyio.Event(), anyio.Event()

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        if seen.headers["prefer"] == "wait=0":
            await replies(200, wire("processing"))(stream, seen)
            return
        self.asked.set()
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.hung_up.set()


async def test_the_tools_answer_as_they_do_over_stdio(era: str, tmp_path: Path) -> None:
    with served(tmp_path, HTTP_OPEN="true") as face:
        async with talking(face.url, era) as client:
            assert client.protocol_version == ERAS[era]
            assert len((await client.list_tools()).tools) == 5
            missed = data_of(await client.call_tool("request_email_enrichment", PATIENT))
            assert missed["status"] == "not-found"
            again = data_of(await client.call_tool("get_enrichment", {"id": missed["id"]}))
            assert again["id"] == missed["id"]
            refused = await client.call_tool("get_enrichment", {"id": ID})
            assert error_of(refused)["code"] == "unknown_enrichment"


async def test_a_wait_reports_its_progress_before_its_answer(
    era: str, vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(replies(200, wire("processing")))
    told: list[float] = []

    async def on_progress(progress: float, _total: float | None, _message: str | None) -> None:
        told.append(progress)

    with served(tmp_path, **_vendors(vendor)) as face:
        async with talking(face.url, era) as client:
            waiting = WAIT | {"timeout_seconds": 11}  # two reports, and time for a late one
            waited = await client.call_tool(
                "wait_for_enrichment", waiting, progress_callback=on_progress
            )
    assert data_of(waited)["timeout_applied"]
    assert 2 <= len(told) <= 3, "a third one is due one second after the wait"
    assert told == sorted(set(told))


async def test_a_long_read_reports_its_progress_if_the_client_requests_it(
    era: str, vendor: ScriptedServer, tmp_path: Path
) -> None:
    told = anyio.Event()

    async def after_progress(stream: SocketStream, seen: ReceivedRequest) -> None:
        await told.wait()
        await replies(200, wire("processing"))(stream, seen)

    async def on_progress(_done: float, _total: float | None, _message: str | None) -> None:
        told.set()

    vendor.always(after_progress)
    with served(tmp_path, **_vendors(vendor)) as face:
        async with talking(face.url, era) as client:
            await client.call_tool("get_enrichment", {"id": ID}, progress_callback=on_progress)
    assert told.is_set()


async def test_a_client_that_closes_its_stream_ends_the_wait(
    era: str, vendor: ScriptedServer, tmp_path: Path
) -> None:
    holds = Holds()
    vendor.always(holds)
    with served(tmp_path, **_vendors(vendor)) as face:
        async with httpx.AsyncClient(timeout=HANG) as http, anyio.create_task_group() as tasks:
            asked = call(era, "wait_for_enrichment", WAIT)
            tasks.start_soon(lambda: http.post(face.url, **asked))
            with anyio.fail_after(HANG):
                await holds.asked.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(HANG):
            await holds.hung_up.wait()
        face.process.send_signal(signal.SIGTERM)
        assert await face.stderr() == ""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_wait_gets_the_last_state_when_the_server_receives_a_signal(
    era: str, vendor: ScriptedServer, tmp_path: Path, end: signal.Signals
) -> None:
    holds, answers = Holds(), list[Any]()
    vendor.always(holds)

    async def wait(url: str) -> None:
        async with httpx.AsyncClient(timeout=HANG) as http:
            answers.append(await http.post(url, **call(era, "wait_for_enrichment", WAIT)))

    with served(tmp_path, module="tests.support.patient_server", **_vendors(vendor)) as face:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, face.url)
            with anyio.fail_after(HANG):
                await holds.asked.wait()
            face.process.send_signal(end)
            assert await face.stderr() == ""
        assert face.process.returncode == 0
    waited = _result(answers[0])["structuredContent"]
    assert [one["status"] for one in waited["enrichments"]] == ["processing"]
    assert "wait_for_enrichment" in waited["next_step"]


async def test_many_calls_at_once_are_each_answered(era: str, tmp_path: Path) -> None:
    with served(tmp_path, HTTP_OPEN="true") as face:
        async with talking(face.url, era) as client, anyio.create_task_group() as tasks:
            answers: list[Any] = []

            async def ask() -> None:
                answers.append(data_of(await client.call_tool("get_credits", {})))

            for _ in range(50):
                tasks.start_soon(ask)
    assert [answer["balance"] for answer in answers] == [250] * 50


async def test_a_server_keeps_no_sessions_so_only_a_post_means_anything(tmp_path: Path) -> None:
    with served(tmp_path, HTTP_OPEN="true") as face:
        async with httpx.AsyncClient(timeout=HANG) as http:
            for method in ("GET", "DELETE", "PUT"):
                answer = await http.request(method, face.url)
                assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
            asked = call("legacy", "get_credits", {})
            answer = await http.post(face.url, **asked)
    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers


def _result(answer: httpx.Response) -> dict[str, Any]:
    """The result of a call, from JSON or from the end of a stream."""
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return dict(json.loads(data[-1] if data else answer.text)["result"])
