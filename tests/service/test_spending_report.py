"""`sources report` agrees with the vendors' own invoices to the cent, and finds the cheapest order
of the sources on the own history."""

from __future__ import annotations

import json
import tracemalloc
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from mcp_enrichment.cli import main
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.context import Retention
from mcp_enrichment.service.privacy.retention import delete_expired
from mcp_enrichment.service.reports.call_history import Period
from mcp_enrichment.service.reports.spending_report import spending_report
from mcp_enrichment.service.sources.base import Miss
from tests.support.databases import change, open_place, settings_of
from tests.support.invoicing_vendors import ANSWERS, LOST, InvoicingVendor
from tests.support.lookup_outcomes import RejectsRoleAddresses, run_to_completion
from tests.support.running_service import ADA, Clock, FixedSource, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_enrichment.service.reports.spending_report import SpendingReport
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
NAMES = ("hunter", "fullenrich", "wiza")
PRICES = {"hunter": "0.02", "fullenrich": "0.035", "wiza": "0.3333"}
FIRST_TAKES_LEAST = """
UPDATE source_calls SET answered_at = requested_at
    + (SELECT count(*) FROM source_calls other WHERE other.request_id < source_calls.request_id)
"""
"""Each earlier request has two calls: those of a source take 0, 2, 4 s and so on."""
MANY_CALLS = (
    "INSERT INTO teams (id, name, available, held, created_at) VALUES (1, 'lumen', 9, 9, 0)",
    """
    INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at, completed_at)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
        SELECT i, 1, i, 'work', 'not-found', 0, 1 FROM n
    """,
    """
    INSERT INTO source_calls
        (request_id, source, state, claim_token, cost, attempts, requested_at, answered_at)
        SELECT id, 'hunter', 'miss', '', id / 1000.0, 1, 0, id FROM requests
    """,
)
"""Calls of a vendor: the nth is charged n / 1000 credits, and takes n s."""


async def looked_up(
    place: Place, *vendors: InvoicingVendor, lookups: int = 40, clock: Clock | None = None
) -> None:
    """Look up these many people at our contacts, which have none of them, and at the vendors."""
    clock = clock or Clock()
    sources = FixedSource(Miss(), name="contacts"), *vendors
    async with running_service(
        place, *sources, jobs=False, clock=clock, check=RejectsRoleAddresses(), credits=999
    ) as it:
        for number in range(lookups):
            asked = {"linkedin_url": f"{ADA}-{clock.now:.0f}-{number}"}
            kind = "personal" if number % 4 == 0 else "work"
            await run_to_completion(it, await it.accepted(**asked, type=kind), clock)
            clock.now += 3600  # no vendor stays paused


def invoicing(*, lost: bool) -> list[InvoicingVendor]:
    answers = ANSWERS + LOST if lost else ANSWERS
    return [InvoicingVendor(name=name, answers=answers) for name in NAMES]


def report_of(place: Place, **period: Any) -> SpendingReport:
    database = open_place(place)
    prices = {name: Decimal(price) for name, price in PRICES.items()}
    read = partial(
        spending_report, period=Period(**period), configured=("contacts", *NAMES), prices=prices
    )
    try:
        return database.snapshot_now(read)
    finally:
        database.close()


def in_cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize("lost", [False, True])
async def test_the_report_is_the_vendors_own_invoice_to_the_cent(
    place: Place, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors = invoicing(lost=lost)
    await looked_up(place, *vendors)
    for name, value in settings_of(place).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENRICHMENT_SOURCES", ",".join(("contacts", *NAMES)))
    monkeypatch.setenv("ENRICHMENT_PRICES", ",".join(f"{n}={p}" for n, p in PRICES.items()))
    for name in NAMES:
        monkeypatch.setenv(f"ENRICHMENT_{name.upper()}_API_KEY", "sk-1")
    done = CliRunner().invoke(main, ["sources", "report", "--format", "json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    own, *rows = told["sources"]
    assert (own["source"], own["asked"], own["money"]) == ("contacts", 40, "0.00")
    invoices = []
    for vendor, row in zip(vendors, rows, strict=True):
        billed = vendor.invoice - vendor.charged_for_lost
        invoices.append(in_cents(billed * Decimal(PRICES[vendor.name])))
        assert row["source"] == vendor.name
        assert Decimal(row["credits"]) == billed > 0
        assert row["money"] == str(invoices[-1])
        assert row["lost"] == vendor.lost
        assert vendor.invoice <= billed + Decimal(row["unknown_credits"])
        assert row["found"] > 0
        assert row["asked"] >= row["found"] + row["not_found"] + row["lost"]
    assert told["total"] == str(sum(invoices))
    assert any(vendor.lost for vendor in vendors) is lost


async def test_counts_and_times_are_those_of_the_period_and_the_type(place: Place) -> None:
    clock, vendors = Clock(), invoicing(lost=False)
    await looked_up(place, *vendors, lookups=12, clock=clock)
    later, first = clock.now, {vendor.name: vendor.invoice for vendor in vendors}
    await looked_up(place, *vendors, lookups=8, clock=clock)
    since = report_of(place, since=later).sources
    assert [row.asked for row in since[:2]] == [8, 8]
    for row in since[1:]:
        (vendor,) = [vendor for vendor in vendors if vendor.name == row.source]
        assert row.credits == vendor.invoice - first[vendor.name]
    every, work, personal = (
        report_of(place, email_types=types).sources[0]
        for types in (tuple(EmailType), (EmailType.WORK,), (EmailType.PERSONAL,))
    )
    assert (every.asked, work.asked, personal.asked) == (20, 15, 5)


async def test_the_report_is_the_same_once_all_answers_are_deleted(place: Place) -> None:
    clock = Clock()
    await looked_up(place, *invoicing(lost=True), lookups=8, clock=clock)
    before = report_of(place)
    expired = Retention(answers=1.0)
    async with running_service(place, jobs=False, clock=clock, retention=expired) as it:
        assert await delete_expired(it.service) > 0
    assert report_of(place) == before


async def test_the_median_is_that_of_all_answers(place: Place) -> None:
    vendor = InvoicingVendor(name="hunter", answers=(("0", Miss()),))
    await looked_up(place, vendor, lookups=5)
    change(place, FIRST_TAKES_LEAST)
    medians = {row.source: row.median_seconds for row in report_of(place).sources}
    assert medians == {"contacts": 4.0, "hunter": 4.0, "fullenrich": None, "wiza": None}


async def test_test_profiles_are_not_in_the_report(place: Place) -> None:
    async with running_service(place, sandbox=True) as it:
        person = "https://www.linkedin.com/in/sandbox-found"
        await it.final(await it.accepted(linkedin_url=person))
    assert [row.source for row in report_of(place).sources] == ["contacts", *NAMES]


async def test_a_source_that_is_no_longer_configured_stays_in_the_report(place: Place) -> None:
    vendor = InvoicingVendor(name="prospeo")
    gone = InvoicingVendor(name="a-vendor-of-old", answers=LOST)
    await looked_up(place, vendor, gone, lookups=20)
    report = report_of(place)
    assert [row.source for row in report.sources[-2:]] == [gone.name, "prospeo"]
    assert report.sources[-1].credits == vendor.invoice
    assert report.sources[-2].unknown_credits is None
    assert (report.total, report.not_priced) == (None, ["prospeo"])


def test_a_long_history_with_a_price_for_each_call_takes_little_memory(path: Path) -> None:
    open_place(path).close()
    for statement in MANY_CALLS:
        change(path, statement)
    tracemalloc.start()
    report = report_of(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    hunter = report.sources[1]
    assert (hunter.asked, hunter.median_seconds) == (50_000, 25_000.5)
    assert hunter.credits == Decimal(50_000 * 50_001 // 2) / 1000
    assert peak < 8 * 2**20
