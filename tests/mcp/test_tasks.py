"""A client that declares the tasks extension gets a task for a wait, and its result later."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from mcp import MCPError
from mcp.types import ElicitResult

from mcp_enrichment.settings.types import Confirm
from tests.mcp.faces import ID, PATIENT, WORK, data_of, face, wire
from tests.mcp.task_client import EXTENSION, METHODS, REQUEST, WAIT, send_about_task, task_of
from tests.support.scripted_server import ScriptedServer, replies

if TYPE_CHECKING:
    from mcp import Client

    from mcp_enrichment.settings import Settings
    from tests.mcp.task_client import TaskClient

pytestmark = pytest.mark.anyio

RUNNING, FOUND = replies(200, wire("processing")), replies(200, wire("completed"))


def ends_after_the_task(vendor: ScriptedServer, tasks: TaskClient, **more: Any) -> None:
    """Let the lookup run until the client has been given a task."""

    async def answer(stream: Any, seen: Any) -> None:
        status = "completed" if tasks.seen else "processing"
        await replies(200, wire(status, **more))(stream, seen)

    vendor.always(answer)


async def test_a_wait_that_is_not_final_is_come_back_to_for_the_same_answer(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    ends_after_the_task(vendor, tasks)
    waited = data_of(await client.call_tool(WAIT, {"ids": [ID]}))
    [task] = tasks.given
    assert (task.status, task.ttl_ms, task.poll_interval_ms) == ("working", 1_200_000, 2000)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", task.created_at)
    assert {one["status"] for one in tasks.seen} == {"working", "completed"}
    assert all(one["resultType"] == "complete" for one in tasks.seen)
    assert [one["email"] for one in waited["enrichments"]] == ["ada.okafor@example.com"]
    assert (waited["all_final"], waited["timeout_applied"]) == (True, False)


async def test_a_request_that_waits_is_come_back_to_and_paid_for_once(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    ends_after_the_task(vendor, tasks, credits_charged=1)
    vendor.will(replies(201, wire("pending")))
    found = data_of(await client.call_tool(REQUEST, WORK | {"external_id": "row 7"}))
    assert len(tasks.given) == len(vendor.posts) == 1
    assert (found["email"], found["reused"]) == ("ada.okafor@example.com", False)
    assert found["credits_charged"] == 1


async def test_a_request_that_joins_an_earlier_one_costs_nothing_as_a_task_too(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.will(replies(201, wire("pending")))
    await client.call_tool(REQUEST, WORK | {"wait_seconds": 0})
    ends_after_the_task(vendor, tasks, credits_charged=1)
    found = data_of(await client.call_tool(REQUEST, PATIENT))
    assert len(tasks.given) == len(vendor.posts) == 1
    assert (found["reused"], found["credits_charged"]) == (True, 0)


async def test_one_that_joins_under_a_reference_of_its_own_is_answered_with_that(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.will(replies(201, wire("pending")))
    await client.call_tool(REQUEST, WORK | {"wait_seconds": 0, "external_id": "first"})
    vendor.always(RUNNING)
    second = WORK | {"wait_seconds": 1, "external_id": "second"}
    joined = data_of(await client.call_tool(REQUEST, second))
    assert (joined["external_id"], joined["is_final"]) == ("second", False)
    assert not tasks.given


async def test_what_is_final_after_a_first_look_is_no_task(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.will(RUNNING)
    vendor.always(FOUND)
    assert data_of(await client.call_tool(WAIT, {"ids": [ID]}))["all_final"]
    assert not tasks.given


async def test_a_call_that_does_not_wait_is_no_task(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    vendor.will(replies(201, wire("pending")), RUNNING)
    assert not data_of(await client.call_tool(REQUEST, WORK | {"wait_seconds": 0}))["is_final"]
    assert not data_of(await client.call_tool("get_enrichment", {"id": ID}))["is_final"]
    assert not tasks.given


@pytest.mark.usefixtures("waits_from_first_read")
async def test_a_client_that_does_not_declare_the_extension_waits_as_ever(
    vendor: ScriptedServer, remote: Settings, era: str
) -> None:
    vendor.always(RUNNING)
    async with face(remote, era) as plain:
        waited = data_of(await plain.call_tool(WAIT, {"ids": [ID], "timeout_seconds": 1}))
    assert (waited["all_final"], waited["timeout_applied"]) == (False, True)


@pytest.mark.parametrize(("method", "more"), METHODS)
async def test_a_client_that_does_not_declare_it_is_told_what_it_would_need(
    vendor: ScriptedServer, remote: Settings, era: str, method: str, more: dict[str, Any]
) -> None:
    async with face(remote, era) as plain:
        with pytest.raises(MCPError) as refused:
            await send_about_task(plain.session, method, "w.1.a.0", **more)
    if era == "legacy":
        assert refused.value.code == -32601
        return
    assert refused.value.code == -32021
    assert refused.value.data == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}


async def test_a_task_of_many_is_looked_at_less_often(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    async def by_path(stream: Any, seen: Any) -> None:
        its_id = seen.path.rpartition("/")[2]
        await replies(200, wire("processing", _id=its_id))(stream, seen)

    vendor.always(by_path)
    ids = [f"{number:024x}" for number in range(20)]
    await task_of(client, tasks, WAIT, {"ids": ids})
    assert tasks.given[0].poll_interval_ms == 5000
    assert 5 * len(tasks.given[0].task_id) < 6144, "a hundred ids are one task too"


async def test_ids_that_are_too_long_for_a_task_are_waited_for_as_ever(
    vendor: ScriptedServer, client: Client, tasks: TaskClient
) -> None:
    async def by_path(stream: Any, seen: Any) -> None:
        its_id = seen.path.rpartition("/")[2]
        await replies(200, wire("processing", _id=its_id))(stream, seen)

    vendor.always(by_path)
    ids = [f"{number:0128x}" for number in range(60)]
    waited = data_of(await client.call_tool(WAIT, {"ids": ids, "timeout_seconds": 1}))
    assert waited["timeout_applied"]
    assert not tasks.given


async def test_the_person_is_asked_before_there_is_a_task(
    vendor: ScriptedServer, tasks: TaskClient, remote: Settings
) -> None:
    async def agrees(_context: Any, _params: Any) -> ElicitResult:
        assert not tasks.given
        assert not vendor.posts
        return ElicitResult(action="accept")

    careful = remote.model_copy(update={"confirm": Confirm.ALWAYS})
    vendor.will(replies(201, wire("pending")))
    ends_after_the_task(vendor, tasks)
    async with face(careful, "auto", person=agrees, extensions=[tasks]) as client:
        assert data_of(await client.call_tool(REQUEST, PATIENT))["is_final"]
    assert len(tasks.given) == len(vendor.posts) == 1
