"""After a vendor's webhook, the result is available in every process."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
import standardwebhooks

from mcp_enrichment.app import http
from mcp_enrichment.settings import Settings
from tests.cli.commands import Shell
from tests.mcp.faces import WORK, data_of
from tests.over_http.served import balanced, key_of, push, served, talking
from tests.support.contract_server import ADDRESS, ContractServer, found
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

SECRET, OLDER = ("whsec_" + text * 8 for text in ("c2VjcmV0", "b2xkZXIh"))
AT_ONCE = WORK | {"wait_seconds": 0}


def _behind(vendor: ScriptedServer, **settings: str) -> dict[str, str]:
    return {"API_URL": vendor.url, "API_KEY": "a-key", "HTTP_OPEN": "true"} | settings


async def _ends(client: Client, vendor: ScriptedServer, lookups: ContractServer) -> dict[str, Any]:
    """The result of a wait whose lookup completes, with a webhook, during the wait."""
    asked = data_of(await client.call_tool("request_email_enrichment", AT_ONCE))
    answers: list[Any] = []

    async def wait() -> None:
        waiting = {"ids": [asked["id"]], "timeout_seconds": 50}
        answers.append(data_of(await client.call_tool("wait_for_enrichment", waiting)))

    with anyio.fail_after(HANG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(0.5)  # no event shows that it waits
            lookups.end(found())
            assert (await push(vendor)).status_code == 204
    return dict(answers[0]["enrichments"][0])


async def test_the_vendor_is_polled_once_after_a_push_and_not_before(
    era: str, vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(lookups := ContractServer())
    async with (
        balanced(tmp_path, prefix="/tools", **_behind(vendor)) as site,
        talking(site.url, era) as client,
    ):
        told = await _ends(client, vendor, lookups)
        address = vendor.posts[0].json["callback_url"]
        assert address.startswith(f"{site.root}/pushes/")
    assert told["email"] == ADDRESS
    assert len(vendor.posts) == 1
    # One poll by the process that did not send the POST, and one by each that got the webhook.
    assert len(vendor.seen) <= 4


async def test_one_process_does_not_poll_before_the_push(
    vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(lookups := ContractServer())
    settings = _behind(vendor, PUBLIC_URL="http://localhost:1", HTTP_HOSTS="localhost:1")
    with served(tmp_path, **settings) as face:
        async with talking(face.url, "auto") as client:
            asked = data_of(await client.call_tool("request_email_enrichment", AT_ONCE))
            waiting = {"ids": [asked["id"]], "timeout_seconds": 5}
            waited = data_of(await client.call_tool("wait_for_enrichment", waiting))
            assert not waited["all_final"]
            assert len(vendor.seen) == 1
            lookups.end(found())
            path = vendor.posts[0].json["callback_url"].removeprefix("http://localhost:1")
            async with httpx.AsyncClient(timeout=HANG) as http:
                pushed = await http.post(f"{face.root}{path}", content=b"not read")
                wrong = await http.post(f"{face.root}{path[:-1]}x", content=b"")
                got = await http.get(f"{face.root}{path}")
            waiting["timeout_seconds"] = 50
            waited = data_of(await client.call_tool("wait_for_enrichment", waiting))
    assert (pushed.status_code, wrong.status_code, got.status_code) == (204, 404, 405)
    assert waited["enrichments"][0]["email"] == ADDRESS
    assert len(vendor.seen) == 2


async def test_the_body_of_a_push_is_not_trusted(vendor: ScriptedServer, tmp_path: Path) -> None:
    vendor.always(lookups := ContractServer())
    async with balanced(tmp_path, **_behind(vendor)) as site, talking(site.url, "auto") as client:
        asked = data_of(await client.call_tool("request_email_enrichment", AT_ONCE))
        lie = found() | {"email": {"email": "eve@evil.example", "type": "work"}}
        assert (await push(vendor, json.dumps(lie).encode())).status_code == 204
        waiting = {"ids": [asked["id"]], "timeout_seconds": 5}
        waited = data_of(await client.call_tool("wait_for_enrichment", waiting))
        assert (waited["all_final"], waited["enrichments"][0]["email"]) == (False, None)
        lookups.end(found())
        waiting["timeout_seconds"] = 50
        waited = data_of(await client.call_tool("wait_for_enrichment", waiting))
    assert waited["enrichments"][0]["email"] == ADDRESS


async def test_with_a_secret_only_signed_webhooks_are_accepted(
    vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(ContractServer())
    body, now = b'{"_id": "e1"}', int(time.time())

    def signed(secret: str, *, at: int = now) -> dict[str, str]:
        moment = datetime.fromtimestamp(at, UTC)
        signature = standardwebhooks.Webhook(secret).sign("msg_1", moment, body.decode())
        return {
            "webhook_id": "msg_1",
            "webhook_timestamp": str(at),
            "webhook_signature": f"v1,AAAA v1a,unknown {signature}",
        }

    settings = _behind(vendor, PUSH_SECRETS=f"{SECRET},{OLDER}")
    async with balanced(tmp_path, **settings) as site, talking(site.url, "auto") as client:
        await client.call_tool("request_email_enrichment", AT_ONCE)
        taken = [await push(vendor, body, **signed(secret)) for secret in (SECRET, OLDER)]
        good = signed(SECRET)
        refused = [
            await push(vendor, body),
            await push(vendor, body + b" ", **good),
            await push(vendor, body, **good | {"webhook_id": "msg_2"}),
            await push(vendor, body, **good | {"webhook_timestamp": str(now + 1)}),
            await push(vendor, body, **good | {"webhook_timestamp": "soon"}),
            await push(vendor, body, **good | {"webhook_signature": ""}),
            await push(vendor, body, **signed("whsec_" + "b3RoZXIh" * 8)),
            await push(vendor, body, **signed(SECRET, at=now - 1000)),
            await push(vendor, body, **signed(SECRET, at=now + 1000)),
        ]
        large = await push(vendor, b"x" * 300_000, **good)
    assert [answer.status_code for answer in taken] == [204, 204]
    assert [answer.status_code for answer in refused] == [401] * len(refused)
    assert large.status_code == 413


async def test_a_webhook_ends_the_waits_of_every_caller_of_the_account(
    vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(lookups := ContractServer())
    settings = {"API_URL": vendor.url, "API_KEY": "a-key"}
    acme, lumen = key_of(tmp_path, "acme"), key_of(tmp_path, "lumen")
    async with (
        balanced(tmp_path, **settings) as site,
        talking(site.url, "auto", acme) as ours,
        talking(site.url, "auto", lumen) as theirs,
    ):
        await ours.call_tool("request_email_enrichment", AT_ONCE)
        joined = data_of(await theirs.call_tool("request_email_enrichment", AT_ONCE))
        assert joined["reused"]
        lookups.end(found())
        assert (await push(vendor)).status_code == 204
        waiting = {"ids": [joined["id"]], "timeout_seconds": 50}
        waited = data_of(await theirs.call_tool("wait_for_enrichment", waiting))
    assert waited["enrichments"][0]["email"] == ADDRESS
    assert len(vendor.posts) == 1


@pytest.mark.parametrize(
    ("public", "service", "given"),
    [
        ("https://mcp.example", "https://api.example", True),
        ("http://mcp.internal:8701", "http://10.0.0.5:8700", True),
        ("http://127.0.0.1:8701", "http://localhost:8700", True),
        ("http://127.0.0.1:8701", "https://api.example", False),
        ("http://localhost:8701", None, False),
        (None, "https://api.example", False),
    ],
)
def test_a_callback_url_is_used_only_if_the_service_can_reach_it(
    public: str | None, service: str | None, given: bool, tmp_path: Path
) -> None:
    settings = Settings(api_key="k", api_url=service, public_url=public, state_dir=tmp_path)
    assert (http._webhooks(settings, b"secret") is not None) is given


async def test_the_embedded_service_needs_no_webhooks(tmp_path: Path) -> None:
    async with (
        balanced(tmp_path, HTTP_OPEN="true") as site,
        httpx.AsyncClient(timeout=HANG) as http,
    ):
        assert (await http.post(f"{site.root}/pushes/x")).status_code == 404


def test_a_secret_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    told = Shell(tmp_path).run("serve", "--http", PUSH_SECRETS="whsec_?not base64?")
    assert "ENRICHMENT_PUSH_SECRETS" in told.refused(2)
    assert "not base64?" not in told.err
