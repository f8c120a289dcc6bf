"""A client finds the issuer by itself, and its access token allows what its scopes say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mcp_enrichment.app.http import mcp_http_app
from mcp_enrichment.mcp.http import app as mcp_app
from mcp_enrichment.settings import Settings
from tests.cli.commands import Shell
from tests.mcp.faces import ID, PATIENT, WORK, data_of, error_of
from tests.over_http.consent import Wallet, consenting
from tests.over_http.served import balanced, call, served, talking
from tests.support.contract_server import ContractServer
from tests.support.oauth_issuer import Issuer
from tests.support.scripted_server import replies, scripted_server
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

PUBLIC = "https://mcp.example/tools"
HERE = f"{PUBLIC}/mcp"
METADATA = "/.well-known/oauth-protected-resource"
READ, SPEND = "enrichment.read", "enrichment.spend"


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with scripted_server() as end:
        yield Issuer.at(end)


async def _call_tool(
    url: str, tool: str, arguments: dict[str, Any], token: str | None, era: str = "auto"
) -> httpx.Response:
    asked = call(era, tool, arguments)
    headers = asked["headers"] | {"host": "mcp.example"}
    if token:
        headers |= {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=HANG) as http:
        return await http.post(url, json=asked["json"], headers=headers)


async def test_the_sdks_client_finds_its_way_from_the_first_refusal_to_an_answer(
    era: str, issuer: Issuer, tmp_path: Path
) -> None:
    wallet = Wallet()
    settings = {"OAUTH_ISSUER": issuer.url}
    async with (
        balanced(tmp_path, prefix="/tools", how="strip", **settings) as site,
        talking(site.url, era, auth=consenting(site.url, wallet)) as client,
    ):
        missed = data_of(await client.call_tool("request_email_enrichment", PATIENT))
        again = await client.call_tool("get_enrichment", {"id": missed["id"]})
    assert data_of(again)["status"] == "not-found"
    assert [(asked["scope"], asked["resource"]) for asked in issuer.asked] == [
        (f"{READ} {SPEND}", site.url)
    ]


async def test_a_client_that_may_only_read_asks_its_user_for_more_when_it_wants_to_spend(
    era: str, issuer: Issuer, tmp_path: Path
) -> None:
    issuer.consents = [READ]
    wallet = Wallet()
    async with (
        balanced(tmp_path, OAUTH_ISSUER=issuer.url) as site,
        talking(site.url, era, auth=consenting(site.url, wallet)) as client,
    ):
        assert data_of(await client.call_tool("get_credits", {}))["balance"] == 250
        assert len(issuer.asked) == 1
        missed = data_of(await client.call_tool("request_email_enrichment", PATIENT))
    assert missed["status"] == "not-found"
    assert set(issuer.asked[1]["scope"].split()) == {READ, SPEND}


async def test_a_token_without_the_scope_can_read_and_wait_and_not_request(
    era: str, issuer: Issuer, tmp_path: Path
) -> None:
    reads, spends = issuer.token(HERE, scope=READ), issuer.token(HERE, scope=SPEND)
    with served(tmp_path, OAUTH_ISSUER=issuer.url, PUBLIC_URL=PUBLIC) as face:
        refused = await _call_tool(face.url, "request_email_enrichment", WORK, reads, era)
        assert refused.status_code == 403
        assert refused.headers["www-authenticate"] == (
            'Bearer realm="mcp-enrichment", error="insufficient_scope", '
            f'error_description="This needs a token with the scope {SPEND}.", scope="{SPEND}", '
            f'resource_metadata="https://mcp.example{METADATA}/tools/mcp"'
        )
        asked = await _call_tool(face.url, "request_email_enrichment", WORK, spends)
        its_id = asked.json()["result"]["structuredContent"]["id"]
        waiting = {"ids": [its_id], "timeout_seconds": 50}
        waited = await _call_tool(face.url, "wait_for_enrichment", waiting, reads, era)
        got = await _call_tool(face.url, "get_enrichment", {"id": its_id}, reads)
        nothing = await _call_tool(face.url, "get_credits", {}, issuer.token(HERE, scope="openid"))
    assert '"all_final":true' in waited.text
    assert got.json()["result"]["structuredContent"]["status"] == "not-found"
    assert nothing.status_code == 403
    assert f'scope="{READ}"' in nothing.headers["www-authenticate"]


async def test_a_request_that_hides_its_tool_from_the_first_look_spends_nothing_either(
    vendor: ScriptedServer, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_app, "SPENDING", frozenset())
    settings = Settings(
        api_url=vendor.url,
        api_key="a-key",
        public_url=PUBLIC,
        oauth_issuer=issuer.url,
        state_dir=tmp_path,
    )
    asked = call("auto", "request_email_enrichment", PATIENT)
    headers = asked["headers"] | {"authorization": f"Bearer {issuer.token(HERE, scope=READ)}"}
    async with mcp_http_app(settings, "127.0.0.1", 8701) as (app, _):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://mcp.example") as http:
            answer = await http.post("/tools/mcp", json=asked["json"], headers=headers)
    result = answer.json()["result"]
    assert result["_meta"]["error"]["code"] == "unauthorized"
    assert SPEND in result["content"][0]["text"]
    assert vendor.seen == []


async def test_one_persons_ids_are_unknown_to_another_in_every_process(
    era: str, issuer: Issuer, tmp_path: Path
) -> None:
    async with balanced(tmp_path, OAUTH_ISSUER=issuer.url) as site:
        ada, jonas = (issuer.token(site.url, sub=name) for name in ("ada", "jonas"))
        async with talking(site.url, era, ada) as hers, talking(site.url, era, jonas) as his:
            missed = data_of(await hers.call_tool("request_email_enrichment", PATIENT))
            for _ in range(2):
                again = await hers.call_tool("get_enrichment", {"id": missed["id"]})
                assert data_of(again)["id"] == missed["id"]
                for others in (missed["id"], missed["id"].rpartition("-")[0], ID):
                    refused = await his.call_tool("get_enrichment", {"id": others})
                    assert error_of(refused)["code"] == "unknown_enrichment"
                    waiting = {"ids": [others], "timeout_seconds": 50}
                    refused = await his.call_tool("wait_for_enrichment", waiting)
                    assert error_of(refused)["code"] == "unknown_enrichment"


async def test_machines_that_share_a_secret_know_each_others_ids(
    vendor: ScriptedServer, issuer: Issuer, tmp_path: Path
) -> None:
    vendor.always(ContractServer())
    settings = {"API_URL": vendor.url, "API_KEY": "a-key", "PUBLIC_URL": PUBLIC}
    settings |= {"OAUTH_ISSUER": issuer.url, "HTTP_SECRET": "shared-by-all-machines-of-the-site"}
    at_once, token = WORK | {"wait_seconds": 0}, issuer.token(HERE)
    with served(tmp_path / "one", **settings) as one, served(tmp_path / "two", **settings) as two:
        asked = await _call_tool(one.url, "request_email_enrichment", at_once, token)
        its_id = asked.json()["result"]["structuredContent"]["id"]
        got = await _call_tool(two.url, "get_enrichment", {"id": its_id}, token)
    assert got.json()["result"]["structuredContent"]["id"] == its_id


async def test_the_metadata_names_the_issuer_whose_tokens_are_accepted(
    issuer: Issuer, tmp_path: Path
) -> None:
    with served(tmp_path, PUBLIC_URL=PUBLIC, OAUTH_ISSUER=issuer.url) as face:
        async with httpx.AsyncClient(headers={"host": "mcp.example"}, timeout=HANG) as http:
            told = [
                await http.get(f"{face.root}{where}")
                for where in (f"{METADATA}/tools/mcp", METADATA)
            ]
        refused = await _call_tool(face.url, "get_credits", {}, None)
        wrong = await _call_tool(face.url, "get_credits", {}, issuer.token("https://mcp.example"))
    for answer in told:
        assert answer.json() == {
            "resource": HERE,
            "resource_name": "Email enrichment",
            "authorization_servers": [issuer.url],
            "scopes_supported": [READ, SPEND],
            "bearer_methods_supported": ["header"],
        }
    assert (refused.status_code, wrong.status_code) == (401, 401)
    assert refused.headers["www-authenticate"] == (
        f'Bearer realm="mcp-enrichment", scope="{READ} {SPEND}", '
        f'resource_metadata="https://mcp.example{METADATA}/tools/mcp"'
    )
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]


async def test_an_issuer_that_cannot_be_reached_refuses_nobody_for_good(
    vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(replies(503))
    token = Issuer(vendor.url).token(HERE)
    with served(tmp_path, PUBLIC_URL=PUBLIC, OAUTH_ISSUER=vendor.url) as face:
        answer = await _call_tool(face.url, "get_credits", {}, token)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        face.process.terminate()
        log = await face.stderr()
    assert "the issuer's keys cannot be fetched" in log
    assert token not in log


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"OAUTH_ISSUER": "https://issuer.example"}, "ENRICHMENT_PUBLIC_URL"),
        ({"OAUTH_ISSUER": "https://issuer.example", "OAUTH_TEAM": "nobody"}, "no team 'nobody'"),
    ],
)
def test_settings_that_would_let_nobody_in_are_reported_at_the_start(
    tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    if "OAUTH_TEAM" in settings:
        settings = settings | {"PUBLIC_URL": PUBLIC}
    told = Shell(tmp_path).run("serve", "--http", "--port", "0", **settings)
    assert says in told.refused()


def test_an_issuer_in_the_open_is_refused(tmp_path: Path) -> None:
    told = Shell(tmp_path).run("serve", "--http", OAUTH_ISSUER="http://issuer.example")
    assert "ENRICHMENT_OAUTH_ISSUER" in told.refused(2)
