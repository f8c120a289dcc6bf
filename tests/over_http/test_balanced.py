"""Several processes behind a load balancer are one server, also under a path."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from tests.mcp.faces import PATIENT, WORK, data_of
from tests.over_http.served import balanced, push, talking
from tests.support.contract_server import ADDRESS, ContractServer, found
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio
OPEN = {"HTTP_OPEN": "true"}


async def test_any_process_answers_for_a_request_that_another_has_made(
    era: str, vendor: ScriptedServer, tmp_path: Path
) -> None:
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    settings = OPEN | {"API_URL": vendor.url, "API_KEY": "a-key"}
    async with balanced(tmp_path, **settings) as site, talking(site.url, era) as client:
        for _ in range(4):
            at_once = WORK | {"wait_seconds": 0}
            asked = data_of(await client.call_tool("request_email_enrichment", at_once))
        assert asked["reused"]
        answers: list[dict[str, Any]] = []

        async def wait() -> None:
            waiting = {"ids": [asked["id"]], "timeout_seconds": 50}
            answers.append(data_of(await client.call_tool("wait_for_enrichment", waiting)))

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(wait)
            with anyio.fail_after(HANG):
                await lookups.read.wait()
            lookups.end(found(asked["id"]))
            assert (await push(vendor)).status_code == 204
    told = [one["email"] for one in itertools.chain(*(each["enrichments"] for each in answers))]
    assert told == [ADDRESS] * 4
    assert len(vendor.posts) == 1, "one enrichment, whichever process got the request"


async def test_a_process_that_dies_takes_no_client_with_it(era: str, tmp_path: Path) -> None:
    async with balanced(tmp_path, **OPEN) as site, talking(site.url, era) as client:
        missed = data_of(await client.call_tool("request_email_enrichment", PATIENT))
        site.faces[0].process.kill()
        site.faces[0].process.wait()
        told = []
        for _ in range(2):
            got = await client.call_tool("get_enrichment", {"id": missed["id"]})
            told.append(data_of(got)["status"])
    assert told == ["not-found"] * 2


@pytest.mark.parametrize("how", ["keep", "strip"])
async def test_the_server_answers_under_a_path_that_the_proxy_keeps_or_strips(
    era: str, how: str, tmp_path: Path
) -> None:
    async with balanced(tmp_path, prefix="/tools/enrichment", how=how, **OPEN) as site:
        assert site.url.endswith("/tools/enrichment/mcp")
        async with talking(site.url, era) as client:
            assert len((await client.list_tools()).tools) == 5
        async with httpx.AsyncClient(timeout=HANG) as http:
            health = await http.get(f"{site.root}/health")
            elsewhere = await http.post(f"{site.root}/elsewhere")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert elsewhere.status_code == 404
