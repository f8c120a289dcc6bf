"""Only an operator, or the person at this machine, sees the console; a forged form does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.console.sessions import SESSION_SECONDS
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.contract.http import CREDITS
from mcp_enrichment.service.accounts import api_keys
from tests.console.visitor import (
    HERE,
    Visitor,
    create_operator_key,
    form_of,
    text_of,
    visited_console,
)
from tests.support.keyed_client import create_key
from tests.support.running_service import Clock

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio


async def test_without_a_session_each_page_leads_to_the_sign_in(place: Place) -> None:
    async with visited_console(place, signed_in=False) as visitor:
        for path in ("", "/live"):
            moved = await visitor.http.get(f"/console{path}", follow_redirects=False)
            assert moved.status_code == 303
            assert "default-src 'none'" in moved.headers["content-security-policy"]
            answer = await visitor.get(path)
            assert str(answer.url) == "http://it/console/sign-in"
        assert "Overview" not in await visitor.read()


async def test_an_operators_key_opens_the_console_and_no_other_key_does(place: Place) -> None:
    async with visited_console(place, signed_in=False) as visitor:
        teams_key = await create_key(visitor.it, "acme")
        for wrong in (teams_key, "", "nonsense", teams_key[:-1] + "0"):
            answer = await visitor.post("/sign-in", key=wrong, status=403)
            assert "This is not the key of an operator" in text_of(answer)
            assert str((await visitor.get()).url).endswith("/sign-in")
        await visitor.sign_in()
        assert "Lookups waiting" in await visitor.read()


async def test_an_operators_key_is_no_key_of_the_contract(visitor: Visitor) -> None:
    key = await visitor.sign_in()
    answer = await visitor.http.get(CREDITS, headers={"x-api-key": key})
    assert answer.status_code == 401


async def test_a_revoked_key_ends_its_sessions(visitor: Visitor) -> None:
    key = await visitor.sign_in()
    key_id = api_keys.key_id_of(key)
    await visitor.it.service.database.write(lambda c: api_keys.revoke(c, key_id, at=1))
    assert str((await visitor.get()).url).endswith("/sign-in")
    await visitor.sign_in()
    assert "Lookups waiting" in await visitor.read(), "another key opens it in the same browser"


async def test_a_session_ends_after_its_time_and_a_form_of_it_then_does_nothing(
    place: Place,
) -> None:
    clock = Clock()
    async with visited_console(place, clock=clock) as visitor:
        token = await visitor.token()
        clock.now += SESSION_SECONDS
        answer = await visitor.send("/sign-out", {"token": token}, status=401)
        assert "your session has ended" in text_of(answer)


async def test_signing_out_ends_the_session_in_this_browser(visitor: Visitor) -> None:
    token = form_of(await visitor.get(), "token")["token"]
    await visitor.send("/sign-out", {"token": token})
    assert str((await visitor.get()).url).endswith("/sign-in")


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, HERE),
        ({"token": "0" * 64}, HERE),
        ({"token": None}, {"sec-fetch-site": "cross-site"}),
        ({"token": None}, {"sec-fetch-site": "same-site"}),
        ({"token": None}, {"origin": "https://evil.example"}),
        ({"token": None}, {"origin": "null"}),
        ({"token": None}, {"origin": "http://["}),
        ({"token": "\u00e4"}, HERE),
    ],
)
async def test_a_forged_form_does_nothing(
    visitor: Visitor, fields: dict[str, str | None], headers: dict[str, str]
) -> None:
    token = form_of(await visitor.get(), "token")["token"]
    sent = {name: token if value is None else value for name, value in fields.items()}
    answer = await visitor.send("/sign-out", sent, headers=headers, status=403)
    assert "This form was not sent by this console" in text_of(answer)
    assert "Lookups waiting" in await visitor.read(), "the session goes on"


async def test_a_form_in_an_encoding_that_no_database_stores_is_refused(visitor: Visitor) -> None:
    token = form_of(await visitor.get(), "token")["token"].encode()
    parts = ((b"token", token), (b"name", b"+2AA-"))
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % part for part in parts
    )
    answer = await visitor.http.post(
        "/console/teams/add",
        content=body + b"--x--\r\n",
        headers=HERE | {"content-type": "multipart/form-data; boundary=x; charset=utf-7"},
    )
    assert answer.status_code == 400
    assert "The form cannot be read" in text_of(answer)


async def test_a_page_says_that_the_database_is_away_and_the_session_goes_on(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away(*_: object) -> None:
        raise StorageFailed(StorageFault.UNREACHABLE)

    with monkeypatch.context() as patched:
        patched.setattr(api_keys, "is_live_operator", is_away)
        answer = await visitor.get(status=503)
    assert "That did not work" in text_of(answer)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "Lookups waiting" in await visitor.read()


async def test_a_forged_cookie_opens_nothing(visitor: Visitor) -> None:
    [cookie] = [one for one in visitor.http.cookies.jar if one.name == "mcp-enrichment-console"]
    session = visitor.console.sessions.read(cookie.value or "")
    assert session
    for forged in (
        "",
        f"{cookie.value}0",
        str(cookie.value).replace(".", "", 1),
        visitor.console.sessions.seal("done", f"{session.id}.{session.key_id}.9999999999"),
        "e\u00e4.".encode("latin-1").decode("latin-1"),
    ):
        visitor.http.cookies.clear()
        headers = {"cookie": f"mcp-enrichment-console={forged}".encode()}
        answer = await visitor.http.get("/console", headers=headers)
        assert str(answer.url).endswith("/sign-in")


async def test_the_link_opens_a_local_console_once(place: Place) -> None:
    async with visited_console(place, signed_in=False, is_local=True) as visitor:
        assert "mcp-enrichment console" in await visitor.read()
        for wrong in ("wrong", "%C3%A4", ""):
            await visitor.read(f"/open?token={wrong}", status=403)
        await visitor.read(f"/open?token={visitor.console.link_token}")
        assert "Lookups waiting" in await visitor.read()
        visitor.http.cookies.clear()
        again = await visitor.read(f"/open?token={visitor.console.link_token}", status=403)
        assert "This link was used already" in again


async def test_no_key_opens_a_local_console(place: Place) -> None:
    async with visited_console(place, signed_in=False, is_local=True) as visitor:
        key = await create_operator_key(visitor)
        token = visitor.console.sessions.token(visitor.console.sessions.start())
        await visitor.send("/sign-in", {"token": token, "key": key}, status=403)
        assert str((await visitor.get()).url).endswith("/sign-in")


async def test_guessing_keys_is_limited(visitor: Visitor) -> None:
    visitor.console.sign_in_limit.quota = 3
    visitor.console.sign_in_limit._buckets.clear()
    for _ in range(3):
        await visitor.post("/sign-in", key="nonsense", status=403)
    answer = await visitor.post("/sign-in", key="nonsense", status=429)
    assert "Wait 20 seconds first" in text_of(answer)


async def test_the_cookie_is_unreadable_for_scripts_and_is_not_sent_by_other_sites(
    visitor: Visitor,
) -> None:
    answer = await visitor.http.get(
        "/console/sign-in", headers={"cookie": ""}, follow_redirects=False
    )
    visitor.http.cookies.clear()
    answer = await visitor.http.get("/console/sign-in")
    cookie = answer.headers["set-cookie"].lower()
    for attribute in ("httponly", "samesite=strict", "path=/console"):
        assert attribute in cookie
    assert "secure" not in cookie
    visitor.http.cookies.clear()
    answer = await visitor.http.get("https://it/console/sign-in")
    assert "secure" in answer.headers["set-cookie"].lower()
