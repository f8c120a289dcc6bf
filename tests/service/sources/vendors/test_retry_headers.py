"""If a vendor says in any header how long to wait, it is not called until then."""

from __future__ import annotations

import time
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.http import MAX_RETRY_AFTER
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from mcp_enrichment.service.sources.base import Unavailable
from mcp_enrichment.service.sources.vendors.registry import NAMES
from tests.service.sources.vendors.recorded import (
    CASES,
    PROFILE,
    as_recorded,
    vendor_at_scripted_server,
)
from tests.support.running_service import ADA, Clock, RunningService, running_service
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.vendors.base import HTTPVendor
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio

DAY = MAX_RETRY_AFTER
USED_UP = {
    "x-second-request-left": "0",
    "x-second-reset-seconds": "1",
    "x-minute-request-left": "12",
    "x-minute-reset-seconds": "40",
    "x-daily-request-left": "0",
    "x-daily-reset-seconds": "52000",
}
TOLD = [
    ({"retry-after": "30"}, 30),
    ({"retry-after": "30", "x-ratelimit-reset": "9"}, 30),
    ({"ratelimit-reset": "50"}, 50),
    ({"x-ratelimit-reset": " 12.5 "}, 12.5),
    ({"x-rate-limit-reset": "7"}, 7),
    ({"x-ratelimit-reset": "0"}, 0),
    ({"x-ratelimit-reset": "999999999"}, DAY),
    ({"x-ratelimit-reset": "1"}, 1),
    ({"x-ratelimit-reset": "1645647595"}, 0),
    ({"x-ratelimit-reset": "2022-02-23T20:19:55Z"}, 0),
    ({"x-ratelimit-reset": "9999-12-31T23:59:59-05:00"}, DAY),
    ({"retry-after": "9" * 400}, DAY),
    ({"x-ratelimit-reset": "9" * 400}, DAY),
    (USED_UP, 52_000),
    ({**USED_UP, "retry-after": "1"}, 52_000),
    ({**USED_UP, "x-daily-request-left": "1400"}, 1),
    ({"x-minute-reset-seconds": "40", "x-daily-reset-seconds": "52000"}, 40),
    ({"x-daily-request-left": "3", "x-daily-reset-seconds": "52000"}, None),
    ({"x-ratelimit-reset": "-5"}, None),
    ({"x-ratelimit-reset": "soon"}, None),
    ({"x-ratelimit-reset": ""}, None),
    ({"retry-after": "soon", "ratelimit-reset": "nan"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), TOLD)
async def test_a_limit_is_waited_for_as_long_as_any_header_says(
    headers: dict[str, str], seconds: float | None
) -> None:
    async with vendor_at_scripted_server("leadmagic") as (asked, end):
        end.will(replies(429, {}, headers))
        assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == {"unavailable": seconds}


@pytest.mark.parametrize("form", ["seconds", "milliseconds", "iso", "iso without a zone", "http"])
async def test_a_moment_is_understood_however_it_is_written(form: str) -> None:
    at = time.time() + 40_000
    told = {
        "seconds": str(int(at)),
        "milliseconds": str(int(at * 1000)),
        "iso": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
        "iso without a zone": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)),
        "http": formatdate(at, usegmt=True),
    }[form]
    async with vendor_at_scripted_server("peopledatalabs") as (asked, end):
        end.will(replies(429, {}, {"x-ratelimit-reset": told}))
        outcome = await asked.find(PROFILE, EmailType.WORK)
    assert isinstance(outcome, Unavailable)
    assert 30_000 < (outcome.retry_after or 0.0) <= 40_001, (
        "about eleven hours, whatever the unit of the header"
    )


@pytest.mark.parametrize("name", sorted(NAMES - {"hunter"}))
async def test_every_vendor_is_believed_when_its_window_ends(name: str) -> None:
    async with vendor_at_scripted_server(name) as (asked, end):
        end.will(replies(429, {"error_code": "RATE_LIMITED"}, {"x-ratelimit-reset": "77"}))
        assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == {"unavailable": 77.0}


async def test_a_vendor_that_is_closed_says_nothing_by_the_end_of_its_window() -> None:
    async with vendor_at_scripted_server("peopledatalabs") as (asked, end):
        end.will(replies(503, {}, {"x-ratelimit-reset": "77"}))
        assert as_recorded(await asked.find(PROFILE, EmailType.WORK)) == {"unavailable": None}


async def test_a_day_that_is_used_up_pauses_the_vendor_until_its_end_and_holds_no_request(
    place: Place,
) -> None:
    [found] = [case for case in CASES if case.vendor == "prospeo" and case.name == "found"]
    clock = Clock()
    async with (
        vendor_at_scripted_server("prospeo") as (vendor, end),
        running_service(place, jobs=False, clock=clock) as it,
    ):
        end.will(replies(429, {"error": True, "error_code": "RATE_LIMITED"}, USED_UP))
        assert await _looked_up(it, 1, vendor) is None, "the request is not held for hours"
        clock.now += 51_000
        assert await _looked_up(it, 2, vendor) is None
        assert len(end.seen) == 1, "the vendor is not called again before the end of the day"
        clock.now += 1_001
        end.will(found.answer)
        assert await _looked_up(it, 3, vendor) is None
        ends = it.rows("SELECT status, reason FROM requests")
    assert sorted(ends, key=str) == [
        ("completed", None),
        *[("failed", "sources-unavailable")] * 2,
    ]


async def _looked_up(it: RunningService, number: int, vendor: HTTPVendor) -> Reschedule | None:
    request_id = await it.accepted(linkedin_url=f"{ADA}-{number}")
    job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
    return await look_up(replace(it.service, sources=[vendor]), job)
