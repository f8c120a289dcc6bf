"""The Prometheus metrics: totals only, without personal data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from mcp_enrichment.service.lookup.source_call_table import SourceCall

REGISTRY = CollectorRegistry()

HTTP_REQUESTS = Counter(
    "enrichment_http_requests_total", "Requests answered.", ["route", "status"], registry=REGISTRY
)
HTTP_SECONDS = Histogram(
    "enrichment_http_seconds", "Seconds to an answer.", ["route"], registry=REGISTRY
)
LOOKUPS = Counter(
    "enrichment_lookups_total", "Lookups ended.", ["status", "source"], registry=REGISTRY
)
SOURCE_ANSWERS = Counter(
    "enrichment_source_answers_total",
    "What sources have answered.",
    ["source", "outcome"],
    registry=REGISTRY,
)
SOURCE_SECONDS = Histogram(
    "enrichment_source_seconds", "Seconds to a source's answer.", ["source"], registry=REGISTRY
)
SOURCE_SPENT = Counter(
    "enrichment_source_spent_total",
    "Credits that a source has charged: each source's own.",
    ["source"],
    registry=REGISTRY,
)
CALLBACK_ATTEMPTS = Counter(
    "enrichment_callback_attempts_total",
    "Attempts of callbacks that have ended.",
    ["number", "outcome"],
    registry=REGISTRY,
)
JOBS_WAITING = Gauge("enrichment_jobs_waiting", "Jobs not done yet.", ["kind"], registry=REGISTRY)
OLDEST_JOB_SECONDS = Gauge(
    "enrichment_oldest_job_seconds",
    "Seconds for which the oldest due job has been due.",
    registry=REGISTRY,
)
CREDITS = Gauge(
    "enrichment_credits",
    "Credits of all teams: available and held, and in total granted, corrected, settled, released.",
    ["kind"],
    registry=REGISTRY,
)


def count_answer(call: SourceCall) -> None:
    """Count a source's answer, its cost and its time; nothing for a call that is not answered."""
    if call.answered_at is None:
        return
    SOURCE_ANSWERS.labels(source=call.source, outcome=call.state.value).inc()
    SOURCE_SPENT.labels(source=call.source).inc(call.cost)
    seconds = max(call.answered_at - call.requested_at, 0.0)
    SOURCE_SECONDS.labels(source=call.source).observe(seconds)
