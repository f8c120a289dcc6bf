"""An API key as a bearer token acts for its team."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from tests.cli.commands import Shell
from tests.mcp.faces import PATIENT, WORK, data_of, error_of
from tests.over_http.served import call, key_of, served, talking
from tests.support.contract_server import ADDRESS, ContractServer, found
from tests.support.scripted_server import replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream
    from mcp import Client

    from tests.support.scripted_server import ReceivedRequest, ScriptedServer

pytestmark = pytest.mark.anyio
AT_ONCE = WORK | {"wait_seconds": 0}


async def _posted(url: str, headers: list[tuple[str, str]], query: str = "") -> httpx.Response:
    asked = call("auto", "get_credits", {})
    async with httpx.AsyncClient(timeout=HANG) as http:
        both = [*asked["headers"].items(), *headers]
        return await http.post(url + query, json=asked["json"], headers=both)


async def test_without_a_valid_credential_nothing_is_answered(tmp_path: Path) -> None:
    key = key_of(tmp_path, "acme")
    another = key[:-1] + ("1" if key.endswith("0") else "0")
    bearer = ("authorization", f"Bearer {key}")
    refused: list[tuple[list[tuple[str, str]], int, str]] = [
        ([], 401, 'Bearer realm="mcp-enrichment"'),
        ([("x-api-key", key)], 401, 'Bearer realm="mcp-enrichment"'),
        ([("authorization", f"Bearer {another}")], 401, 'error="invalid_token"'),
        ([("authorization", "Bearer e30.e30.x")], 401, 'error="invalid_token"'),
        ([("authorization", f"Basic {key}")], 400, 'error="invalid_request"'),
        ([("authorization", key)], 400, 'error="invalid_request"'),
        ([("authorization", "Bearer a b")], 400, 'error="invalid_request"'),
        ([bearer, bearer], 400, 'error="invalid_request"'),
    ]
    with served(tmp_path) as face:
        for headers, status, challenge in refused:
            answer = await _posted(face.url, headers, f"?access_token={key}")
            assert answer.status_code == status, headers
            assert challenge in answer.headers["www-authenticate"]
            assert "resource_metadata" not in answer.headers["www-authenticate"]
            assert answer.json()["error"]["code"] == -32000
            assert "ratelimit" not in answer.headers
        assert (await _posted(face.url, [bearer])).is_success
        assert (await _posted(face.url, [("Authorization", f"bearer  {key}")])).is_success


async def test_a_key_acts_for_its_team_and_sees_nothing_of_another(
    era: str, tmp_path: Path
) -> None:
    acme, lumen = key_of(tmp_path, "acme"), key_of(tmp_path, "lumen", credits=3)
    with served(tmp_path) as face:
        async with (
            talking(face.url, era, acme) as ours,
            talking(face.url, era, key_of(tmp_path, "acme")) as colleagues,
            talking(face.url, era, lumen) as theirs,
        ):
            assert await _balance(ours) == await _balance(colleagues) == 250
            assert await _balance(theirs) == 3
            asked = data_of(await ours.call_tool("request_email_enrichment", PATIENT))
            one = {"id": asked["id"]}
            assert data_of(await colleagues.call_tool("get_enrichment", one))["is_final"]
            refused = error_of(await theirs.call_tool("get_enrichment", one))
            assert refused["code"] == "unknown_enrichment"
            waiting = {"ids": [asked["id"]], "timeout_seconds": 50}
            refused = error_of(await theirs.call_tool("wait_for_enrichment", waiting))
            assert refused["code"] == "unknown_enrichment"
            again = data_of(await theirs.call_tool("request_email_enrichment", PATIENT))
            assert again["id"] != asked["id"]
            assert again["reused"] is False


async def test_a_revoked_key_is_refused_from_the_next_request_on(tmp_path: Path) -> None:
    key = key_of(tmp_path, "acme")
    bearer = [("authorization", f"Bearer {key}")]
    with served(tmp_path) as face:
        assert (await _posted(face.url, bearer)).is_success
        assert Shell(tmp_path).run("keys", "revoke", key.split("_")[1]).code == 0
        assert (await _posted(face.url, bearer)).status_code == 401


async def test_two_callers_who_ask_in_the_same_moment_pay_once_and_see_only_their_own(
    vendor: ScriptedServer, tmp_path: Path
) -> None:
    keys = [key_of(tmp_path, "acme"), key_of(tmp_path, "lumen")]
    lookups = ContractServer()
    lookups.end(found() | {"external_id": "caller-0"})
    both = anyio.Event()

    async def hold(stream: SocketStream, seen: ReceivedRequest) -> None:
        await both.wait()
        await replies(201, found() | {"external_id": seen.json["external_id"]})(stream, seen)

    vendor.will(hold)
    vendor.always(lookups)
    told: list[Any] = [None, None]
    again: list[Any] = [None, None]

    async def ask(number: int, url: str) -> None:
        hook = f"https://hooks.example.com/{number}"
        named = AT_ONCE | {"external_id": f"caller-{number}", "callback_url": hook}
        async with talking(url, "auto", keys[number]) as client:
            told[number] = data_of(await client.call_tool("request_email_enrichment", named))
            again[number] = await _enrichment_by_both_tools(client, told[number]["id"])

    settings = {"API_URL": vendor.url, "API_KEY": "the-vendors-key"}
    with served(tmp_path, **settings) as face:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, 0, face.url)
            tasks.start_soon(ask, 1, face.url)
            await anyio.sleep(2)  # a second POST would show
            both.set()
    assert len(vendor.posts) == 1
    assert [one["external_id"] for one in told] == ["caller-0", "caller-1"]
    first = 0 if vendor.posts[0].json["external_id"] == "caller-0" else 1
    owned, joined = told[first], told[1 - first]
    assert (owned["reused"], owned["credits_charged"], owned["next_step"]) == (False, 1, None)
    assert (joined["reused"], joined["credits_charged"]) == (True, 0)
    assert "callback_url of this call is not registered" in joined["next_step"]
    read = again[1 - first]
    assert (read["reused"], read["credits_charged"], read["external_id"]) == (True, 0, None)


async def test_behind_a_vendor_the_callers_key_stays_here_and_ids_are_the_callers_own(
    era: str, vendor: ScriptedServer, tmp_path: Path
) -> None:
    acme, lumen = key_of(tmp_path, "acme"), key_of(tmp_path, "lumen")
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    settings = {"API_URL": vendor.url, "API_KEY": "the-vendors-key", "LOG_LEVEL": "DEBUG"}
    with served(tmp_path, **settings) as face:
        async with talking(face.url, era, acme) as ours, talking(face.url, era, lumen) as theirs:
            named = AT_ONCE | {"external_id": "ours-7"}
            first = data_of(await ours.call_tool("request_email_enrichment", named))
            second = data_of(await theirs.call_tool("request_email_enrichment", AT_ONCE))
            lookups.end(found() | {"external_id": "ours-7"})
            told = [
                await _enrichment_by_both_tools(ours, first["id"]),
                await _enrichment_by_both_tools(theirs, second["id"]),
            ]
            for client, others in ((ours, second["id"]), (theirs, first["id"]), (ours, "e1")):
                waiting = {"ids": [others], "timeout_seconds": 50}
                refused = error_of(await client.call_tool("wait_for_enrichment", waiting))
                assert refused["code"] == "unknown_enrichment"
                refused = error_of(await client.call_tool("get_enrichment", {"id": others}))
                assert refused["code"] == "unknown_enrichment"
        face.process.terminate()
        log = await face.stderr()
    assert (first["external_id"], first["reused"]) == ("ours-7", False)
    assert (second["external_id"], second["reused"]) == (None, True)
    assert first["id"] != second["id"]
    assert [one["email"] for one in told] == [ADDRESS] * 2
    assert [one["external_id"] for one in told] == ["ours-7", None]
    assert len(vendor.posts) == 1, "the account pays once, for all its callers"
    for seen in vendor.seen:
        assert seen.headers["x-api-key"] == "the-vendors-key"
        assert "authorization" not in seen.headers
    sent = "".join(f"{seen.path}{seen.headers}{seen.body!r}" for seen in vendor.seen)
    for key in (acme, lumen):
        assert key not in sent
        assert key not in log
        assert key.split("_")[2] not in log


async def test_an_id_that_the_vendor_has_forgotten_is_named_as_the_caller_knows_it(
    era: str, vendor: ScriptedServer, tmp_path: Path
) -> None:
    from tests.support.contract_server import enrichment
    from tests.support.scripted_server import replies

    vendor.will(replies(201, enrichment("e1")))
    vendor.always(replies(404))
    settings = {"API_URL": vendor.url, "API_KEY": "a-key"}
    with served(tmp_path, **settings) as face:
        async with talking(face.url, era, key_of(tmp_path, "acme")) as client:
            asked = data_of(await client.call_tool("request_email_enrichment", AT_ONCE))
            # With the state file, a 404 for so young a request would count as a lag of the vendor.
            (tmp_path / "state" / "memory.db").unlink()
            waiting = {"ids": [asked["id"]], "timeout_seconds": 50}
            refused = error_of(await client.call_tool("wait_for_enrichment", waiting))
    assert f" {asked['id']}." in refused["sentence"]


async def test_a_caller_has_a_quota_of_its_own_and_a_tool_says_when_it_is_used_up(
    era: str, tmp_path: Path
) -> None:
    busy, calm = key_of(tmp_path, "acme"), key_of(tmp_path, "lumen")
    with served(tmp_path, RATE_LIMIT="12") as face:
        async with talking(face.url, era, busy) as ours, talking(face.url, era, calm) as theirs:
            codes = []
            while "rate_limited" not in codes:
                answer = await ours.call_tool("get_credits", {})
                codes.append(error_of(answer)["code"] if answer.is_error else "")
            refused = error_of(answer)
            assert await _balance(theirs) == 250
        listing = call("legacy", "get_credits", {})
        listing["json"]["method"] = "tools/list"
        async with httpx.AsyncClient(timeout=HANG) as http:
            bearer = {"authorization": f"Bearer {busy}"}
            headers = listing["headers"] | bearer
            with anyio.fail_after(HANG):
                limited = None
                while limited is None or limited.is_success:  # a request may be allowed again
                    limited = await http.post(face.url, json=listing["json"], headers=headers)
    assert codes[:5] == [""] * 5
    assert refused["retryable"]
    assert 1 <= refused["retry_after_seconds"] <= 5
    assert limited.status_code == 429
    assert 1 <= int(limited.headers["retry-after"]) <= 5
    assert re.fullmatch('"default";r=0;t=[0-9]+', limited.headers["ratelimit"])


async def test_wrong_keys_from_one_address_are_limited_and_keep_out_no_right_one(
    tmp_path: Path,
) -> None:
    key = key_of(tmp_path, "acme")
    wrong = key[:-1] + ("1" if key.endswith("0") else "0")
    with served(tmp_path, RATE_LIMIT="12") as face:
        answers = [
            await _posted(face.url, [("authorization", f"Bearer {wrong}")]) for _ in range(20)
        ]
        without = await _posted(face.url, [])
        right = await _posted(face.url, [("authorization", f"Bearer {key}")])
    assert [answer.status_code for answer in answers[:12]] == [401] * 12
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 5
    assert (without.status_code, right.status_code) == (401, 200)


async def test_an_open_server_takes_a_key_for_what_it_is_and_refuses_a_wrong_one(
    tmp_path: Path,
) -> None:
    key = key_of(tmp_path, "acme", credits=7)
    with served(tmp_path, HTTP_OPEN="true") as face:
        balances = []
        for headers in ([], [("authorization", f"Bearer {key}")]):
            answer = await _posted(face.url, headers)
            balances.append(answer.json()["result"]["structuredContent"]["balance"])
        wrong = await _posted(face.url, [("authorization", "Bearer wrong")])
    assert balances == [250, 7]
    assert wrong.status_code == 401


async def test_a_server_that_only_keys_open_gives_nobody_a_team_of_their_own(
    tmp_path: Path,
) -> None:
    key = key_of(tmp_path, "acme")
    with served(tmp_path) as face:
        assert (await _posted(face.url, [("authorization", f"Bearer {key}")])).is_success
    listed = Shell(tmp_path).run("teams", "list")
    assert listed.out == "acme\t250 available\t0 held\n"


async def _balance(client: Client) -> int:
    return int(data_of(await client.call_tool("get_credits", {}))["balance"])


async def _enrichment_by_both_tools(client: Client, enrichment_id: str) -> dict[str, Any]:
    waiting = {"ids": [enrichment_id], "timeout_seconds": 10}
    waited = data_of(await client.call_tool("wait_for_enrichment", waiting))
    got = data_of(await client.call_tool("get_enrichment", {"id": enrichment_id}))
    assert waited["enrichments"] == [got]
    assert got["id"] == enrichment_id
    return dict(got)
