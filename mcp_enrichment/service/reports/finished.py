"""The lookups that ended in a period: their outcomes and durations over time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from mcp_enrichment.contract.models import Status
from mcp_enrichment.service.db.schema import REDACTABLE, requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

NEWEST = 5000
"""The most lookups that are read: the newest of the period."""
INTERVALS = 24
"""Into which the period is divided."""
_ENDED = select(requests.c.completed_at, requests.c.status, requests.c.created_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """The lookups that ended in a part of the period."""

    start: float
    """Seconds since the epoch."""
    counts: Mapping[Status, int]
    p50: float | None
    """The median of the seconds from the request to its end; None if none ended."""
    p95: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """The lookups that ended in a period. Those of erased people are not among them."""

    intervals: Sequence[Interval]
    total: Interval
    is_cut: bool
    """Whether there are more than `NEWEST`. The intervals then begin with the oldest one read."""


def finished(connection: Connection, *, now: float, seconds: float) -> Finished:
    """The lookups of the last `seconds`, in equal intervals up to `now`."""
    completed = requests.c.completed_at
    newest = _ENDED.where(completed >= now - seconds, REDACTABLE).order_by(completed.desc())
    rows: Sequence[Any] = connection.execute(newest.limit(NEWEST + 1)).all()
    is_cut = len(rows) > NEWEST
    rows = rows[:NEWEST]
    start = rows[-1][0] if is_cut else now - seconds
    width = max((now - start) / INTERVALS, 1e-3)
    parts: list[list[Any]] = [[] for _ in range(INTERVALS)]
    for row in rows:
        parts[min(int((row[0] - start) / width), INTERVALS - 1)].append(row)
    return Finished(
        intervals=[_interval(start + width * n, part) for n, part in enumerate(parts)],
        total=_interval(start, rows),
        is_cut=is_cut,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that is not below this share of the values; None if there are none."""
    return ordered[ceil(share * len(ordered)) - 1] if ordered else None


def _interval(start: float, rows: Sequence[Any]) -> Interval:
    took = sorted(end - begin for end, _, begin in rows)
    counts = Counter(status for _, status, _ in rows)
    return Interval(
        start=start,
        counts={Status(status): count for status, count in counts.items()},
        p50=percentile(took, 0.5),
        p95=percentile(took, 0.95),
    )
