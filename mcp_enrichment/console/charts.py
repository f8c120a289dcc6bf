"""Charts as SVG: the places of their marks. A template draws them, and a table says the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.service.reports.finished import Interval

WIDTH, HEIGHT = 480, 120
"""Units of the view box."""
STACKED = (Status.COMPLETED, Status.NOT_FOUND, Status.FAILED)
"""From the bottom to the top."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A part of a column."""

    status: Status
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """Two lines over the same intervals, as points of SVG. Each value is as wide as its interval,
    so that a single one is seen; an interval without a value breaks neither."""

    p50: str
    p95: str
    highest: float
    """The value at the upper edge, in seconds."""


def bars(intervals: Sequence[Interval]) -> Sequence[Bar]:
    """Stacked columns of outcomes; the highest one fills the height."""
    most = highest_count(intervals)
    if not most:
        return ()
    width, made = WIDTH / len(intervals), []
    for place, interval in enumerate(intervals):
        bottom = float(HEIGHT)
        for status in STACKED:
            height = HEIGHT * interval.counts.get(status, 0) / most
            bottom -= height
            if height:
                box = {"x": place * width + 1, "y": bottom, "width": width - 2, "height": height}
                made.append(Bar(status=status, **{k: round(v, 2) for k, v in box.items()}))
    return made


def highest_count(intervals: Sequence[Interval]) -> int:
    """The most lookups of one interval."""
    return max(sum(interval.counts.values()) for interval in intervals)


def lines(intervals: Sequence[Interval]) -> Lines | None:
    """The medians and 95th percentiles; None without any."""
    highest = max((interval.p95 or 0 for interval in intervals), default=0)
    if not highest:
        return None
    return Lines(
        p50=_points([interval.p50 for interval in intervals], highest),
        p95=_points([interval.p95 for interval in intervals], highest),
        highest=highest,
    )


def _points(values: Sequence[float | None], highest: float) -> str:
    width = WIDTH / len(values)
    return " ".join(
        f"{edge * width:.1f},{HEIGHT * (1 - value / highest):.1f}"
        for place, value in enumerate(values)
        if value is not None
        for edge in (place, place + 1)
    )
