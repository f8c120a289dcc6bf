"""Only a valid key opens the service, and only the data of its own team."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS, HISTORY
from mcp_enrichment.service.accounts import api_keys
from tests.cli.commands import Shell
from tests.support.databases import dump_text
from tests.support.keyed_client import create_key, keyed_client
from tests.support.openapi import must_be
from tests.support.running_service import ADA, running_service
from tests.support.sql_statements import statements

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
NOT_SAME = {"x-request-id", "date"}
"""Headers in which two equal answers may differ."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_a_key_is_shown_once_and_stored_as_a_hash_alone(shell: Shell) -> None:
    assert shell.run("teams", "add", "lumen", "--credits", "7").code == 0
    made = shell.run("keys", "create", "lumen")
    key = made.out.removesuffix("\n")
    assert api_keys._KEY.fullmatch(key), "stdout has only the key: it can be piped"
    assert "cannot be shown again" in made.err
    listed = shell.run("keys", "list").out
    assert (api_keys.key_id_of(key) in listed, key in listed, "lumen" in listed) == (
        True,
        False,
        True,
    )
    secret = key.rpartition("_")[2].encode()
    kept = b"".join(file.read_bytes() for file in shell.database.parent.iterdir())
    assert secret not in kept
    assert bytes.fromhex(secret.decode()) not in kept
    assert shell.one("SELECT hash FROM api_keys") == api_keys._hash(key)


def test_teams_are_listed_with_their_credits(shell: Shell) -> None:
    for name, amount in (("zenith", "0"), ("Équipe 1", "250")):
        assert shell.run("teams", "add", name, "--credits", amount).code == 0
    assert shell.run("teams", "list").out == (
        "zenith\t0 available\t0 held\nÉquipe 1\t250 available\t0 held\n"
    )


def test_a_callback_secret_stays_until_it_is_rotated_and_two_are_valid(shell: Shell) -> None:
    shell.run("teams", "add", "lumen")
    first = shell.run("teams", "secret", "lumen").out
    assert first.startswith("whsec_")
    assert shell.run("teams", "secret", "lumen").out == first
    second = shell.run("teams", "secret", "lumen", "--rotate").out.splitlines()
    assert second[1:] == first.splitlines()
    third = shell.run("teams", "secret", "lumen", "--rotate").out.splitlines()
    assert third[1:] == second[:1]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["teams", "add", "lumen"], "already"),
        (["teams", "add", ""], "1 to 100 letters"),
        (["teams", "add", " lumen"], "1 to 100 letters"),
        (["teams", "add", "lumen "], "1 to 100 letters"),
        (["teams", "add", "two\nlines"], "1 to 100 letters"),
        (["teams", "add", "lumen\x1b[31m"], "1 to 100 letters"),
        (["teams", "add", "x" * 101], "1 to 100 letters"),
        (["teams", "secret", "nobody"], "teams list"),
        (["keys", "create", "nobody"], "teams list"),
        (["keys", "revoke", "0123456789ab"], "keys list"),
        (["credits", "grant", "5", "--team", "nobody"], "teams list"),
        (["credits", "history", "--team", "nobody"], "teams list"),
    ],
)
def test_an_impossible_command_is_refused_in_one_sentence(
    shell: Shell, command: list[str], told: str
) -> None:
    shell.run("teams", "add", "lumen")
    assert told in shell.run(*command).refused()
    assert shell.one("SELECT count(*) FROM teams") == 1
    assert shell.one("SELECT count(*) FROM api_keys") == 0


def test_with_a_remote_service_set_no_local_team_is_created(shell: Shell) -> None:
    told = shell.run("teams", "add", "lumen", API_URL="https://it.example").refused(2)
    assert "where the service runs" in told
    assert not shell.database.exists()


BAD_KEYS = {
    "missing": None,
    "empty": "",
    "unknown": f"mcpe_{'0' * 12}_{'0' * 64}",
    "garbled": "mcpe_garbled",
    "another product's": "sk_live_4242424242424242",
    "a UTF-8 one": "clé-ключ".encode(),
    "long": "mcpe_" + "a" * 9000,
    "an injection": "mcpe_' OR 1=1 --",
}


@pytest.mark.parametrize("what", [*BAD_KEYS, "revoked", "of a right name", "in capitals", "padded"])
async def test_without_a_valid_key_every_route_is_the_same_401(place: Place, what: str) -> None:
    async with running_service(place, jobs=False) as it:
        good = await create_key(it, "lumen")
        bad: Any = BAD_KEYS.get(what) or {
            "of a right name": good[:-1] + ("0" if good[-1] != "0" else "1"),
            "in capitals": good.upper(),
            "padded": f"{good}x",
            "revoked": await create_key(it, "lumen"),
        }.get(what)
        if what == "revoked":
            await it.service.database.write(
                lambda c: api_keys.revoke(c, api_keys.key_id_of(bad), at=1)
            )
        headers = {} if bad is None else {"x-api-key": bad}
        async with keyed_client(it) as http:
            answers = [
                await http.get(CREDITS, headers=headers),
                await http.get(HISTORY, headers=headers),
                await http.get(f"{ENRICHMENTS}/{'0' * 24}", headers=headers),
                await http.post(ENRICHMENTS, headers=headers, json={}),
            ]
            assert (await http.get(CREDITS, headers={"x-api-key": good})).status_code == 200
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == (
            'ApiKey realm="mcp-enrichment", header="x-api-key"'
        )
        must_be("Error", answer.json())
        assert answer.json() == answers[0].json()
        assert answer.json()["error"]["code"] == "unauthorized"


async def test_another_teams_id_is_answered_exactly_as_an_unknown_one(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        ours, theirs = await create_key(it, "ours"), await create_key(it, "theirs")
        async with keyed_client(it, theirs) as http:
            posted = await http.post(ENRICHMENTS, json={"linkedin_url": ADA, "type": "work"})
            assert (await http.get(f"{ENRICHMENTS}/{posted.json()['_id']}")).status_code == 200
        async with keyed_client(it, ours) as http:
            told = []
            for request_id in (posted.json()["_id"], "f" * 24):
                answer = await http.get(
                    f"{ENRICHMENTS}/{request_id}", headers={"prefer": "wait=30"}
                )
                headers = {k: v for k, v in answer.headers.items() if k not in NOT_SAME}
                told.append((answer.status_code, answer.content, headers))
            assert (await http.get(CREDITS)).json() == {"balance": 10, "held": 0}
            history = (await http.get(HISTORY)).json()["entries"]
    assert told[0] == told[1]
    assert told[0][0] == 404
    assert [entry["kind"] for entry in history] == ["grant"], "the ledger does not reveal it either"


@pytest.mark.parametrize("whose", ["another team's", "nobody's"])
async def test_another_teams_id_is_not_even_loaded(place: Place, whose: str) -> None:
    """The time of an answer does not show whether an id exists: the work is the same."""
    async with running_service(place, jobs=False) as it:
        request_id = await it.accepted() if whose == "another team's" else "f" * 24
        key = await create_key(it, "ours")
        with statements(it.service.database._engine) as said:
            async with keyed_client(it, key) as http:
                assert (await http.get(f"{ENRICHMENTS}/{request_id}")).status_code == 404
        of_key, of_request = [(one, len(dump_text(place, one, values))) for one, values in said]
    assert "FROM api_keys" in of_key[0]
    assert of_request[1] == 0
    assert "FROM requests" in of_request[0]


@pytest.mark.parametrize("name", ["valid", "revoked", "unknown"])
async def test_the_name_of_a_key_is_looked_up_with_the_same_work_whether_it_is_known_or_not(
    place: Place, name: str
) -> None:
    async with running_service(place, jobs=False) as it:
        key_id = api_keys.key_id_of(await create_key(it, "lumen"))
        if name == "revoked":
            await it.service.database.write(lambda c: api_keys.revoke(c, key_id, at=1))
        key_id = "0" * 12 if name == "unknown" else key_id
        with statements(it.service.database._engine) as said:
            guess = f"mcpe_{key_id}_{'0' * 64}"
            assert await api_keys.authenticate(it.service.database, guess) is None
        assert [len(dump_text(place, one, values)) for one, values in said] == [1]


async def test_two_teams_that_ask_the_same_do_not_share_an_answer(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        ids = []
        for team in ("ours", "theirs"):
            async with keyed_client(it, await create_key(it, team)) as http:
                headers = {"idempotency-key": "the-same"}
                asked = {"linkedin_url": ADA, "type": "work"}
                answer = await http.post(ENRICHMENTS, json=asked, headers=headers)
                assert answer.headers["idempotent-replayed"] == "false"
                ids.append(answer.json()["_id"])
                assert (await http.get(CREDITS)).json() == {"balance": 9, "held": 1}
    assert ids[0] != ids[1]


@pytest.mark.parametrize("known", [True, False])
async def test_a_key_is_compared_in_constant_time_whether_its_name_is_known_or_not(
    place: Place, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    async with running_service(place, jobs=False) as it:
        key = await create_key(it, "lumen")
        monkeypatch.setattr(hmac, "compare_digest", compare)
        name = api_keys.key_id_of(key) if known else "0" * 12
        assert await api_keys.authenticate(it.service.database, f"mcpe_{name}_{'0' * 64}") is None
    assert len(compared) == 1
    assert {len(side) for side in compared[0]} == {64}
