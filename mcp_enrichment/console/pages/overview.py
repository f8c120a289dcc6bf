"""The overview: outcomes and durations over time, the queue, the spending, and the health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.console import charts
from mcp_enrichment.console.rendering import DAY, HOUR
from mcp_enrichment.service.lookup import circuit_breaker
from mcp_enrichment.service.monitoring import totals
from mcp_enrichment.service.reports.finished import NEWEST, finished
from mcp_enrichment.service.reports.spending_today import spent_since
from mcp_enrichment.service.reports.waiting_lookups import waiting_lookups

if TYPE_CHECKING:
    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

PERIODS = {"hour": HOUR, "day": DAY, "week": 7 * DAY}
"""Seconds of the periods to choose from."""


async def show(visit: Visit) -> Response:
    """The page of recent outcomes, and of lookups under way."""
    service, now = visit.console.service, visit.console.service.clock()
    period = visit.request.query_params.get("period", "day")
    period = period if period in PERIODS else "day"
    ended, spent, waiting, paused = await service.database.read(
        lambda c: (
            finished(c, now=now, seconds=PERIODS[period]),
            spent_since(c, now // DAY * DAY),
            waiting_lookups(c, now=now),
            circuit_breaker.paused(c, now=now),
        )
    )
    return visit.page(
        "overview.html",
        period=period,
        periods=list(PERIODS),
        ended=ended,
        newest=NEWEST,
        statuses=charts.STACKED,
        bars=charts.bars(ended.intervals),
        highest_count=charts.highest_count(ended.intervals),
        lines=charts.lines(ended.intervals),
        box=(charts.WIDTH, charts.HEIGHT),
        totals=await totals(service),
        spent=spent,
        waiting=waiting,
        paused=paused,
        now=now,
        budget=visit.console.facts.daily_budget,
        findings=await visit.console.findings(),
    )
