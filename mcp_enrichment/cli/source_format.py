"""The lines of `sources list` and `sources check`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcp_enrichment.cli.common import format_time
from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.sources.base import (
    Hit,
    Lost,
    Misconfigured,
    Miss,
    Unavailable,
    is_vendor,
)

if TYPE_CHECKING:
    from mcp_enrichment.service.lookup.source_report import SourceReport
    from mcp_enrichment.service.sources.base import Outcome, Source

PAUSE_REASONS = {
    "unavailable": "it is not available",
    "no-answer": "it does not answer",
    "unreadable": "its answers cannot be read",
    "failed": "it reports a failure",
    "sources-misconfigured": "it refuses its key or its settings",
}
"""Why a source is paused. Every other reason is printed as it is."""


def price(source: Source) -> str:
    """The price of a lookup."""
    if not is_vendor(source):
        return "free"
    hit, miss = source.terms.hit, source.terms.miss
    return f"{hit:g} of its credits for an address, {miss:g} for a miss"


def state(figures: SourceReport, *, now: float) -> str:
    """Whether the source is used now."""
    health = figures.health
    if health is None:
        return "ready"
    reason = PAUSE_REASONS.get(health.reason, health.reason)
    if health.open_until is None or health.open_until <= now:
        return f"ready after {health.failures} failures in a row: {reason}"
    return f"paused until {format_time(health.open_until)}: {reason}"


def figures(of: SourceReport) -> str:
    """The statistics of the source."""
    took = "-" if of.median_seconds is None else f"{of.median_seconds:.1f} s"
    return (
        f"asked {of.asked}, {of.hits} hits, {of.misses} misses, {of.lost} answers lost, "
        f"spent {of.spent:g}, median {took}"
    )


def untested_warning(source: Source) -> str | None:
    """A warning for a vendor that was never used with a real key."""
    if is_vendor(source) and source.verified_on is None:
        return "Built from the vendor's documents and not tried with a real key: check it first."
    return None


def balance(left: float | Unavailable | Misconfigured) -> str:
    """The balance of a source."""
    return f"{left:g}" if isinstance(left, int | float) else answer(left)


def answer(outcome: Outcome) -> str:
    """The outcome of a lookup, with a masked email."""
    if isinstance(outcome, Hit):
        checked = f", checked {_day(outcome.checked_at)}" if outcome.checked_at else ""
        return f"{masked(outcome.email)}, {outcome.verification}{checked}"
    if isinstance(outcome, Miss):
        suppressed = outcome.reason is Reason.SUPPRESSED
        return "it has no address that may be told" if suppressed else "it has no address"
    if isinstance(outcome, Unavailable):
        return "not available now; nothing was charged"
    if isinstance(outcome, Lost):
        return f"its answer is lost ({outcome.why}); it may have charged"
    return f"refused ({outcome.reason}); nothing was charged"


def is_healthy(said: Outcome | float) -> bool:
    """Whether the source works, and has credits left."""
    return said > 0 if isinstance(said, int | float) else isinstance(said, Hit | Miss)


def masked(email: str) -> str:
    """An address that only a person who knows it recognises."""
    local, _, domain = email.partition("@")
    return f"{local[:1]}***@{domain}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
