"""With a changed schema, an answer is never a miss or more certain, and a mask is no address."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from dataclasses import replace
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.net import http
from mcp_enrichment.service.lookup.resolution import FALLBACK
from mcp_enrichment.service.sources.base import (
    Hit,
    InProgress,
    Lost,
    Misconfigured,
    Miss,
    Unavailable,
)
from mcp_enrichment.service.sources.factory import NAMES
from tests.service.sources.vendors.recorded import (
    CASES,
    PROFILE,
    Case,
    as_recorded,
    vendor_at_scripted_server,
)
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.service.sources.vendors.base import HTTPVendor

pytestmark = pytest.mark.usefixtures("unhurried")

HITS = [case for case in CASES if "hit" in case.says]
FOUND = [case for case in HITS if case.name == "found"]
MASKS = [
    ("a***@okafor.example", "source-hides-address"),
    ("\u2022\u2022\u2022@okafor.example", "source-hides-address"),
    ("email_not_unlocked@domain.com", "source-hides-address"),
    ("ada.okafor@example.com", "sources-misconfigured"),
    ("ada.okafor@mail.example.org", "sources-misconfigured"),
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
BODIES = st.binary() | JUNK.map(lambda junk: json.dumps(junk).encode())
STATUSES = st.integers(200, 599)


@pytest.mark.anyio
@pytest.mark.parametrize("case", HITS, ids=str)
async def test_a_renamed_field_is_never_a_miss_and_never_makes_an_address_more_certain(
    case: Case,
) -> None:
    async with vendor_at_scripted_server(case.vendor) as (asked, end):
        for body in _renamed(case.body):
            end.will(replies(case.status, body))
            outcome = await case.put_to(asked)
            assert not isinstance(outcome, Miss), body
            if isinstance(outcome, Hit):
                assert outcome.email in str(body)
                assert _is_as_certain_at_most(outcome, case) or _lost_its_type(body), body


@pytest.mark.anyio
@pytest.mark.parametrize("wrong", [7, [7], {"x": 7}])
@pytest.mark.parametrize("case", FOUND, ids=str)
async def test_a_value_of_another_type_is_never_a_miss_nor_another_address(
    case: Case, wrong: Any
) -> None:
    async with vendor_at_scripted_server(case.vendor) as (asked, end):
        for *above, last in _paths(case.body):
            body = deepcopy(case.body)
            reduce(getitem, above, body)[last] = wrong
            end.will(replies(case.status, body))
            outcome = await case.put_to(asked)
            if isinstance(outcome, Hit):
                assert outcome.email == case.says["hit"]
                assert _is_as_certain_at_most(outcome, case), body
            else:
                assert as_recorded(outcome) == {"lost": "unreadable"}, body


def _is_as_certain_at_most(hit: Hit, case: Case) -> bool:
    """Whether the hit is no more certain than recorded; without a verdict it is unverified."""
    said = Verification(case.says["as"])
    order = (Verification.VERIFIED, *FALLBACK)
    is_unsaid = hit.verification is Verification.UNVERIFIED
    return is_unsaid or order.index(hit.verification) >= order.index(said)


def _renamed(body: Any) -> Iterator[Any]:
    """Copies of the body, each with a different key renamed."""
    for path in _paths(body):
        changed = deepcopy(body)
        inner = reduce(getitem, path[:-1], changed)
        inner["x_" + path[-1]] = inner.pop(path[-1])
        yield changed


def _paths(body: Any, *above: str | int) -> Iterator[list[Any]]:
    items = body.items() if isinstance(body, dict) else enumerate(body)
    for step, inner in items:
        if isinstance(step, str):
            yield [*above, step]
        if isinstance(inner, dict | list):
            yield from _paths(inner, *above, step)


def _lost_its_type(body: Any) -> bool:
    """Hunter's sources may lack a type; without it, a guess cannot be recognised as one."""
    return "x_type" in str(body)


@pytest.mark.anyio
@pytest.mark.parametrize(("mask", "reason"), MASKS)
@pytest.mark.parametrize("case", FOUND, ids=str)
async def test_a_mask_and_a_sample_are_no_address(case: Case, mask: str, reason: str) -> None:
    body = json.loads(json.dumps(case.body).replace(case.says["hit"], mask))
    async with vendor_at_scripted_server(case.vendor) as (asked, end):
        end.will(replace(case, body=body).answer)
        assert as_recorded(await case.put_to(asked)) == {"misconfigured": reason}


@pytest.mark.anyio
@pytest.mark.parametrize("case", FOUND, ids=str)
async def test_a_text_that_is_no_address_is_unreadable(case: Case) -> None:
    async with vendor_at_scripted_server(case.vendor) as (asked, end):
        for text in ("ada", "ada@", "ada okafor@okafor.example", "ada@okafor.example, b@c.example"):
            body = json.loads(json.dumps(case.body).replace(case.says["hit"], text))
            end.will(replace(case, body=body).answer)
            assert as_recorded(await case.put_to(asked)) == {"lost": "unreadable"}


@pytest.mark.parametrize("name", sorted(NAMES))
@settings(max_examples=25)
@given(answers=st.lists(st.tuples(STATUSES, BODIES), min_size=1, max_size=12))
def test_no_answer_at_all_raises_and_no_junk_is_an_address_or_a_miss(
    name: str, answers: list[tuple[int, bytes]]
) -> None:
    async def ask() -> None:
        async with vendor_at_scripted_server(name) as (asked, end):
            for status, body in answers:
                end.always(replies(status, body))
                for outcome in await _all_of(asked):
                    assert isinstance(outcome, Lost | Misconfigured | Unavailable | InProgress)
                    if status >= 500 or status in (401, 402, 429):  # refused or out of order
                        assert not isinstance(outcome, InProgress)
                assert isinstance(await asked.balance(), float | Misconfigured | Unavailable | None)

    anyio.run(ask)


async def _all_of(asked: HTTPVendor) -> list[Any]:
    outcomes = []
    for email_type in sorted(asked.email_types):
        outcomes.append(await asked.find(PROFILE, email_type))
        outcomes.append(await asked.collect("32", email_type))
    return outcomes


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 401, 402, 429])
async def test_an_outage_or_a_quota_wall_is_never_a_miss_whatever_its_body(
    name: str, status: int
) -> None:
    misses = [c for c in CASES if c.vendor == name and ("miss" in c.says or "hit" in c.says)]
    async with vendor_at_scripted_server(name) as (asked, end):
        for case in misses:
            end.will(replies(status, case.body))
            outcome = await case.put_to(asked)
            assert isinstance(outcome, Lost | Misconfigured | Unavailable), case.name


@pytest.mark.anyio
async def test_json_that_is_too_deep_too_long_or_no_json_is_unreadable() -> None:
    [found] = [case for case in FOUND if case.vendor == "hunter"]
    padded = json.dumps(found.body | {"padding": "a" * http.MAX_RESPONSE_BYTES}).encode()
    packed = {"content-encoding": "gzip, gzip"}
    answers = [
        replies(200, padded),
        replies(200, gzip.compress(gzip.compress(json.dumps(found.body).encode())), packed),
        *(replies(200, body) for body in (b"[" * 100_000, b"1" * 5000, b'{"data": NaN}')),
    ]
    async with vendor_at_scripted_server("hunter") as (asked, end):
        for answer in answers:
            end.will(answer)
            outcome = await asked.find(PROFILE, EmailType.WORK)
            assert as_recorded(outcome) == {"lost": "unreadable"}
