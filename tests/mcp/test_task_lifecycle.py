"""Only its account can use a task; a task ends with its lookup, and after twenty minutes."""

from __future__ import annotations

import time
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.types import Request

from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.mcp.tasks import Task, TaskKind
from mcp_enrichment.settings import Settings
from tests.mcp.faces import ADA, ID, data_of, error_of, face, wire
from tests.mcp.task_client import ANY, METHODS, WAIT, TaskClient, send_about_task, task_of
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

pytestmark = pytest.mark.anyio

RUNNING, FOUND = replies(200, wire("processing")), replies(200, wire("completed"))


async def test_any_process_of_the_account_answers_for_a_task(
    vendor: ScriptedServer, client: Client, tasks: TaskClient, remote: Settings, tmp_path: Any
) -> None:
    vendor.always(RUNNING)
    task_id = await task_of(client, tasks, WAIT, {"ids": [ID]})
    elsewhere = remote.model_copy(update={"state_dir": tmp_path / "another machine"})
    vendor.always(FOUND)
    async with face(elsewhere, "auto", extensions=[TaskClient()]) as other:
        told = await send_about_task(other.session, "tasks/get", task_id)
    assert told["status"] == "completed"
    assert told["result"]["structuredContent"]["all_final"] is True


async def test_another_account_has_no_such_task_and_the_service_is_not_asked(
    vendor: ScriptedServer, client: Client, tasks: TaskClient, remote: Settings
) -> None:
    vendor.always(RUNNING)
    task_id = await task_of(client, tasks, WAIT, {"ids": [ID]})
    asked_before = len(vendor.seen)
    stranger = Settings(api_url=remote.api_url, api_key="another-key", state_dir=remote.state_dir)
    async with face(stranger, "auto", extensions=[TaskClient()]) as other:
        for method, more in METHODS:
            with pytest.raises(MCPError) as refused:
                await send_about_task(other.session, method, task_id, **more)
            assert refused.value.code == -32602
    assert len(vendor.seen) == asked_before


async def test_an_id_that_was_not_given_is_no_task(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.always(RUNNING)
    task_id = await task_of(client, tasks, WAIT, {"ids": [ID]})
    asked_before = len(vendor.seen)
    forged = [
        *("", "w", ID, "\0", "x" * 100_000, task_id[:-1], task_id + "0", "r" + task_id[1:]),
        task_id.replace(ID, "0" * 24),
    ]
    for wrong in forged:
        for method, more in METHODS:
            with pytest.raises(MCPError) as refused:
                await send_about_task(client.session, method, wrong, **more)
            assert refused.value.code == -32602
    assert len(vendor.seen) == asked_before


async def test_a_task_whose_enrichment_the_caller_may_not_read_any_more_is_unknown(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.always(RUNNING)
    task_id = await task_of(client, tasks, WAIT, {"ids": [ID]})
    vendor.always(replies(404, {"error": {"code": "not_found", "message": "?"}}))
    with pytest.raises(MCPError) as refused:
        await send_about_task(client.session, "tasks/get", task_id)
    assert refused.value.code == -32602


async def test_cancelling_stops_the_waiting_and_never_the_lookup(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.always(RUNNING)
    task_id = await task_of(client, tasks, WAIT, {"ids": [ID]})
    asked_before = len(vendor.seen)
    acknowledged = await send_about_task(client.session, "tasks/cancel", task_id)
    assert acknowledged.keys() == {"resultType", "_meta"}
    await anyio.sleep(1.2)  # twice the longest pause between two polls of a new lookup
    assert len(vendor.seen) == asked_before
    vendor.always(FOUND)
    assert data_of(await client.call_tool("get_enrichment", {"id": ID}))["is_final"]


async def test_answers_that_no_task_asked_for_are_taken_and_ignored(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.always(RUNNING)
    task_id = await task_of(client, tasks, WAIT, {"ids": [ID]})
    answers = {"spend": {"action": "accept"}}
    updated = await send_about_task(client.session, "tasks/update", task_id, inputResponses=answers)
    assert updated["resultType"] == "complete"


@pytest.mark.parametrize(("method", "more"), METHODS)
async def test_a_defect_is_logged_under_the_method_that_met_it(
    method: str, more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Any:
        raise RuntimeError

    async with Client(create_server(broken), mode="auto", extensions=[TaskClient()]) as client:
        with pytest.raises(MCPError):
            await send_about_task(client.session, method, ID, **more)
    assert f"{method} raised RuntimeError" in caplog.text


async def test_a_service_that_is_away_leaves_the_task_working_and_says_so(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.always(RUNNING)
    task_id = await task_of(client, tasks, WAIT, {"ids": [ID]})
    vendor.always(replies(503, b"down for ada.okafor@example.com"))
    away = await send_about_task(client.session, "tasks/get", task_id)
    assert away["status"] == "working"
    assert "cannot be reached" in away["statusMessage"]
    vendor.always(FOUND)
    assert (await send_about_task(client.session, "tasks/get", task_id))["status"] == "completed"


async def test_a_permanent_error_ends_the_task_with_the_error_of_the_tool(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    async def refuses(stream: Any, seen: Any) -> None:
        await (replies(401, {"error": {}}) if tasks.given else RUNNING)(stream, seen)

    vendor.always(refuses)
    assert error_of(await client.call_tool(WAIT, {"ids": [ID]}))["code"] == "unauthorized"
    assert tasks.seen[-1]["status"] == "completed"


async def test_after_twenty_minutes_the_task_ends_and_says_to_stop_waiting(
    vendor: ScriptedServer, client: Client, remote: Settings
) -> None:
    account = EnrichmentClient(vendor.url, api_key="a-key", memory=remote.memory_file)
    began = int(time.time()) - 1200
    old = Task(kind=TaskKind.REQUEST, ids=[ID], created_at=began).encode(account.signature)
    assert old
    vendor.always(replies(200, wire("processing", created_at=began)))
    told = await send_about_task(client.session, "tasks/get", old)
    assert told["status"] == "completed"
    assert "Stop waiting" in told["result"]["structuredContent"]["next_step"]


async def test_a_listener_to_a_task_is_notified_of_its_end_with_the_result(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.always(RUNNING)
    task_id = await task_of(client, tasks, WAIT, {"ids": [ID]})
    vendor.always(FOUND)
    async with anyio.create_task_group() as listening:
        listening.start_soon(client.session.send_request, listen(task_id, "w.1.a.0"), ANY)
        with anyio.fail_after(HANG):
            await tasks.is_notified.wait()
        listening.cancel_scope.cancel()
    [news] = tasks.news
    assert (news["taskId"], news["status"]) == (task_id, "completed")
    [found] = news["result"]["structuredContent"]["enrichments"]
    assert found["linkedin_url"] == ADA


async def test_to_listen_to_tasks_the_extension_must_be_declared(remote: Settings) -> None:
    async with face(remote, "auto") as plain:
        with pytest.raises(MCPError) as refused:
            await plain.session.send_request(listen("w.1.a.0"), ANY)
    assert refused.value.code == -32021


def listen(*task_ids: str) -> Request[Any, Any]:
    wanted = {"notifications": {"taskIds": list(task_ids)}}
    return Request[dict[str, Any], str](method="subscriptions/listen", params=wanted)
