"""No caller takes more than its share of requests, or sends more than is read."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.cli.logs import JsonFormatter
from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.http import app, rate_limit
from mcp_enrichment.service.http.rate_limit import RateLimit
from tests.support.keyed_client import create_key, keyed_client
from tests.support.openapi import must_be
from tests.support.running_service import ADA, Clock, running_service

if TYPE_CHECKING:
    import httpx

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
JSON = {"content-type": "application/json"}


def _left(answer: httpx.Response) -> tuple[str, str]:
    return answer.headers["ratelimit-policy"], answer.headers["ratelimit"]


async def test_a_key_that_asks_too_often_is_told_when_to_ask_again(place: Place) -> None:
    clock = Clock()
    async with running_service(place, jobs=False) as it:
        key, other = await create_key(it, "lumen"), await create_key(it, "lumen")
        limit = RateLimit(quota=3, clock=clock)
        async with keyed_client(it, key, rate_limit=limit) as http:
            allowed = [await http.get(CREDITS) for _ in range(3)]
            refused = await http.get(CREDITS)
            elsewhere = await http.get(CREDITS, headers={"x-api-key": other})
            clock.now += float(refused.headers["retry-after"]) - 0.5
            too_soon = await http.get(CREDITS)
            clock.now += 0.5
            grown_back = await http.get(CREDITS)
    assert [_left(answer) for answer in allowed] == [
        ('"default";q=3;w=60', '"default";r=2;t=20'),
        ('"default";q=3;w=60', '"default";r=1;t=40'),
        ('"default";q=3;w=60', '"default";r=0;t=60'),
    ]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "20")
    assert _left(refused) == ('"default";q=3;w=60', '"default";r=0;t=60')
    must_be("Error", refused.json())
    assert refused.json()["error"]["code"] == "rate_limited"
    assert elsewhere.status_code == 200, "each key has its own quota, also in the same team"
    assert (too_soon.status_code, grown_back.status_code) == (429, 200)


async def test_a_request_that_is_refused_otherwise_tells_what_is_left_too(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        limit = RateLimit(quota=10, clock=Clock())
        async with keyed_client(
            it, await create_key(it, "lumen", credits=0), rate_limit=limit
        ) as http:
            asked = {"linkedin_url": ADA, "type": "work"}
            answers = [
                await http.post(ENRICHMENTS, json={}),
                await http.post(ENRICHMENTS, json=asked),
                await http.post(ENRICHMENTS, content=b"x"),
                await http.get(f"{ENRICHMENTS}/unknown"),
            ]
            nameless = await http.get(CREDITS, headers={"x-api-key": "none"})
            health = await http.get("/health")
    assert [answer.status_code for answer in answers] == [400, 402, 415, 404]
    left = [answer.headers["ratelimit"].split(";")[1] for answer in answers]
    assert left == ["r=9", "r=8", "r=7", "r=6"]
    assert "ratelimit" not in nameless.headers
    assert "ratelimit" not in health.headers


async def test_wrong_keys_of_an_address_are_limited_and_a_valid_key_there_is_served(
    place: Place,
) -> None:
    """Answers 401 are counted by IP address; a valid key from there is not limited by them."""
    async with running_service(place, jobs=False) as it:
        limit = RateLimit(quota=3, clock=Clock())
        async with keyed_client(it, await create_key(it, "lumen"), rate_limit=limit) as http:
            wrong = {"x-api-key": "none"}
            answers = [await http.get(CREDITS, headers=wrong) for _ in range(5)]
            known = await http.get(CREDITS)
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert answers[-1].headers["retry-after"] == "20"
    assert known.status_code == 200


async def test_too_many_invalid_keys_of_one_address_reach_no_database(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    team_of = api_keys.team_of

    def counted(connection: Any, key: str) -> int | None:
        read.append(key)
        return team_of(connection, key)

    monkeypatch.setattr(app, "team_of", counted)
    async with running_service(place, jobs=False) as it:
        ours, new = await create_key(it, "lumen"), await create_key(it, "lumen")
        limit = RateLimit(quota=3, clock=Clock())
        async with keyed_client(it, ours, rate_limit=limit) as http:
            assert (await http.get(CREDITS)).status_code == 200
            for number in range(50):
                wrong = {"x-api-key": f"mcpe_{number:012x}_{number:064x}"}
                assert (await http.get(CREDITS, headers=wrong)).status_code == (
                    401 if number < 3 else 429
                )
            looked_up = len(read)
            assert looked_up <= 1 + 3 + 3, (
                "its own quota, and the quota that all such IP addresses share"
            )
            assert (await http.get(CREDITS)).status_code == 200, (
                "a key that was valid before continues"
            )
            refused = await http.get(CREDITS, headers={"x-api-key": new})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0, "after that it is looked up"


@pytest.mark.parametrize("where", ["/ready", "/metrics"])
async def test_requests_without_a_key_are_limited_before_the_database_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(rate_limit, "PROBES", 3)
    async with running_service(place, jobs=False) as it:
        limit = RateLimit(quota=100, clock=Clock())
        async with keyed_client(it, rate_limit=limit, metrics=True) as http:
            answers = [(await http.get(where)).status_code for _ in range(3)]
            it.service.database.close()
            monkeypatch.setattr(it.service.database, "read", None)  # a read fails
            answers += [(await http.get(where)).status_code for _ in range(2)]
            assert (await http.get("/health")).status_code == 200
    assert answers == [200, 200, 200, 429, 429]


def test_a_caller_without_a_key_is_an_address_or_an_ipv6_network() -> None:
    assert rate_limit.peer_of("192.0.2.1") != rate_limit.peer_of("192.0.2.2")
    assert rate_limit.peer_of("2001:db8::1") == rate_limit.peer_of("2001:db8::2:1")
    assert rate_limit.peer_of("2001:db8::1") != rate_limit.peer_of("2001:db8:0:1::1")
    assert rate_limit.peer_of("testclient") == "testclient"


async def test_a_request_over_the_limit_costs_and_starts_nothing(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        limit = RateLimit(quota=1, clock=Clock())
        async with keyed_client(it, await create_key(it, "lumen"), rate_limit=limit) as http:
            for number, status in enumerate((201, 429, 429)):
                asked = {"linkedin_url": f"{ADA}-{number}", "type": "work"}
                assert (await http.post(ENRICHMENTS, json=asked)).status_code == status
        assert len(it.rows("SELECT * FROM requests")) == 1


def test_a_quota_grows_back_evenly_and_never_beyond_itself() -> None:
    clock = Clock()
    limit = RateLimit(quota=60, clock=clock)
    for _ in range(60):
        limit.take("ada")
    for seconds, allowed in ((1, 1), (2.5, 2), (0.5, 1), (10_000, 60), (-100, 0), (1, 1)):
        clock.now += seconds
        for _ in range(allowed):
            limit.take("ada")
        with pytest.raises(rate_limit.RateLimited):
            limit.take("ada")


def test_any_number_of_keys_takes_a_bounded_number_of_buckets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "MAX_CALLERS", 10)
    limit = RateLimit(quota=1, clock=Clock())
    for number in range(1000):
        limit.take(f"key-{number}")
    assert len(limit._buckets) == 10
    with pytest.raises(rate_limit.RateLimited):
        limit.take("key-999")


@pytest.mark.parametrize(
    ("where", "headers", "status"),
    [
        (f"{ENRICHMENTS}/{'a' * 2100}", {}, 414),
        (f"{CREDITS}?{'a' * 2100}", {}, 414),
        (f"/{'%00' * 900}", {}, 414),
        (f"{ENRICHMENTS}/{'a' * 1900}", {}, 404),
        (CREDITS, {"x-long": "a" * 17_000}, 431),
        (CREDITS, {f"x-{number}": "a" * 100 for number in range(200)}, 431),
        (CREDITS, {"x-long": "a" * 15_000}, 200),
    ],
)
async def test_what_is_too_long_is_refused_before_it_is_looked_at(
    place: Place, where: str, headers: dict[str, str], status: int
) -> None:
    async with (
        running_service(place, jobs=False) as it,
        keyed_client(it, await create_key(it, "lumen")) as http,
    ):
        answer = await http.get(where, headers=headers)
    assert answer.status_code == status
    if status != 200:
        must_be("Error", answer.json())


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b" " * (64 * 1024 + 1), JSON, 413),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {}, 415),
        (b"{}", JSON, 400),
    ],
)
async def test_a_body_that_is_too_long_or_no_json_is_refused_with_a_key_too(
    place: Place, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with (
        running_service(place, jobs=False) as it,
        keyed_client(it, await create_key(it, "lumen")) as http,
    ):
        answer = await http.post(ENRICHMENTS, content=body, headers=headers)
    assert answer.status_code == status
    must_be("Error", answer.json())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("4bf92f3577b34da6", True),
        ("A" * 64, True),
        ("3b241101-e2bb-4255-8caf-4136c566a962", True),
        ("ada-okafor-example", False),
        ("4915123456789", False),
        (None, False),
        ("short", False),
        ("A" * 65, False),
        ('"},{"forged":"line', False),
        ("with spaces in it", False),
        ("mcpe_0123456789ab_" + "0" * 64, False),
    ],
)
async def test_each_answer_and_its_log_line_bear_one_id(
    place: Place, caplog: pytest.LogCaptureFixture, given: str | None, kept: bool
) -> None:
    caplog.set_level(logging.INFO)
    formatter, lines = JsonFormatter(), []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(formatter.format(record))  # type: ignore[method-assign]
    logger = logging.getLogger("mcp_enrichment.service.http.service_app")
    logger.addHandler(handler)
    try:
        async with (
            running_service(place, jobs=False) as it,
            keyed_client(it, await create_key(it, "lumen")) as http,
        ):
            answer = await http.get(CREDITS, headers={"x-request-id": given} if given else {})
    finally:
        logger.removeHandler(handler)
    [line] = [json.loads(line) for line in lines]
    told = answer.headers["x-request-id"]
    assert line["request_id"] == told
    assert (line["method"], line["route"], line["status"]) == ("GET", CREDITS, 200)
    assert (told == given) is kept
    assert 8 <= len(told) <= 64


async def test_a_defect_is_told_with_the_id_that_finds_it_in_the_log(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError

    async with (
        running_service(place, jobs=False) as it,
        keyed_client(it, await create_key(it, "lumen")) as http,
    ):
        monkeypatch.setattr(ledger, "balance", break_down)
        answer = await http.get(CREDITS, headers={"x-request-id": "f" * 32})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "f" * 32)
