"""The issuer's keys are fetched rarely, cached through an outage, renewed, and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.contract.errors import ServiceUnavailable
from mcp_enrichment.mcp.http.auth.jwks import (
    FRESH_SECONDS,
    MAX_DOCUMENT,
    MAX_KEYS,
    RETRY_SECONDS,
    STALE_SECONDS,
    JWKSCache,
)
from tests.support.oauth_issuer import JWKS, METADATA, OPENID, Issuer, Key
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that the test advances."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer(vendor: ScriptedServer) -> Issuer:
    return Issuer.at(vendor)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> JWKSCache:
    return JWKSCache(issuer.url, clock=clock)


def _fetches(vendor: ScriptedServer) -> int:
    return sum(seen.path == JWKS for seen in vendor.seen)


def _ids(found: Any) -> list[str]:
    return [key["kid"] for key in found]


async def test_concurrent_readers_of_the_keys_send_one_request_to_the_issuer(
    vendor: ScriptedServer, keys: JWKSCache
) -> None:
    found: list[Any] = []

    async def ask() -> None:
        found.append(await keys("k1"))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert [_ids(one) for one in found] == [["k1"]] * 20
    assert [seen.path for seen in vendor.seen] == [METADATA, JWKS]


async def test_a_new_key_is_found_and_a_made_up_one_is_not_looked_for_without_end(
    vendor: ScriptedServer, issuer: Issuer, keys: JWKSCache, clock: Clock
) -> None:
    assert _ids(await keys("k1")) == ["k1"]
    issuer.keys = [Key.of("ES256", "k2")]
    for _ in range(20):
        assert await keys("made-up") == []
    assert _fetches(vendor) == 1
    clock.now += RETRY_SECONDS
    assert _ids(await keys("k2")) == ["k2"]
    assert await keys("k1") == []
    assert _fetches(vendor) == 2


async def test_keys_are_renewed_and_outlive_an_outage_for_a_day(
    vendor: ScriptedServer, issuer: Issuer, keys: JWKSCache, clock: Clock
) -> None:
    await keys("k1")
    clock.now += FRESH_SECONDS - 1
    await keys("k1")
    assert _fetches(vendor) == 1
    clock.now += 1
    vendor.always(replies(503))
    assert _ids(await keys("k1")) == ["k1"]
    seen = len(vendor.seen)
    assert _ids(await keys("k1")) == ["k1"]
    assert len(vendor.seen) == seen, "not each call contacts the issuer during the outage"
    clock.now = STALE_SECONDS + 1
    with pytest.raises(ServiceUnavailable):
        await keys("k1")
    vendor.always(issuer)
    clock.now += RETRY_SECONDS
    assert _ids(await keys("k1")) == ["k1"]


async def test_an_issuer_that_cannot_be_reached_says_nothing_of_the_token(
    vendor: ScriptedServer, issuer: Issuer, keys: JWKSCache, clock: Clock
) -> None:
    vendor.always(replies(500))
    for _ in range(3):
        with pytest.raises(ServiceUnavailable) as raised:
            await keys("k1")
        assert raised.value.retry_after == RETRY_SECONDS
    assert len(vendor.seen) == 2, "both URLs of its metadata, once each"
    vendor.always(issuer)
    clock.now += RETRY_SECONDS
    assert _ids(await keys("k1")) == ["k1"]


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("", [METADATA, OPENID]),
        ("/realms/a", [f"{METADATA}/realms/a", f"/realms/a{OPENID}", f"{OPENID}/realms/a"]),
    ],
)
async def test_metadata_is_looked_for_wherever_the_standards_put_it(
    vendor: ScriptedServer, issuer: Issuer, path: str, at: list[str]
) -> None:
    metadata = issuer.metadata() | {"issuer": issuer.url + path}
    vendor.will(*[replies(404)] * (len(at) - 1), replies(200, metadata))
    assert _ids(await JWKSCache(issuer.url + path)("k1")) == ["k1"]
    assert [seen.path for seen in vendor.seen] == [*at, JWKS]


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example"},
        {"jwks_uri": "http://other.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
)
async def test_metadata_of_another_or_that_leads_into_the_open_is_not_followed(
    vendor: ScriptedServer, issuer: Issuer, keys: JWKSCache, changes: dict[str, Any]
) -> None:
    vendor.always(replies(200, issuer.metadata() | changes))
    with pytest.raises(ServiceUnavailable):
        await keys("k1")
    assert _fetches(vendor) == 0


async def test_an_issuer_that_differs_by_its_last_slash_is_reported_with_both_in_the_log(
    vendor: ScriptedServer, issuer: Issuer, keys: JWKSCache, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.always(replies(200, issuer.metadata() | {"issuer": f"{issuer.url}/"}))
    with pytest.raises(ServiceUnavailable):
        await keys("k1")
    assert "issuers differ" in caplog.text
    assert f"says {issuer.url}/, and" in caplog.text
    assert f"ENRICHMENT_OAUTH_ISSUER {issuer.url};" in caplog.text


async def test_the_name_of_another_issuer_is_not_quoted_in_the_log(
    vendor: ScriptedServer, issuer: Issuer, keys: JWKSCache, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.always(replies(200, issuer.metadata() | {"issuer": "https://other.example"}))
    with pytest.raises(ServiceUnavailable):
        await keys("k1")
    assert f"the issuers differ: the metadata of ENRICHMENT_OAUTH_ISSUER, {issuer.url}," in (
        caplog.text
    )
    assert "other.example" not in caplog.text


@pytest.mark.parametrize(
    "document",
    [
        b"<html>",
        {"keys": "many"},
        {"keys": [{"kid": "k1", "kty": "RSA"}] * (MAX_KEYS + 1)},
        b'{"keys": [], "padding": "' + b"x" * MAX_DOCUMENT + b'"}',
    ],
)
async def test_a_response_that_is_no_key_set_or_too_large_is_refused(
    vendor: ScriptedServer, issuer: Issuer, document: Any
) -> None:
    vendor.always(replies(200, document))
    with pytest.raises(ServiceUnavailable):
        await JWKSCache(issuer.url, url=f"{issuer.url}{JWKS}")("k1")


async def test_a_redirect_is_not_followed_and_keys_for_encryption_are_left_out(
    vendor: ScriptedServer, issuer: Issuer
) -> None:
    there = f"{issuer.url}{JWKS}"
    vendor.will(replies(302, b"", {"location": there}))
    with pytest.raises(ServiceUnavailable):
        await JWKSCache(issuer.url, url=there)("k1")
    shown = issuer.key_set()["keys"][0]
    vendor.will(replies(200, {"keys": [shown | {"use": "enc"}, shown | {"kid": "k2"}]}))
    assert _ids(await JWKSCache(issuer.url, url=there)(None)) == ["k2"]
