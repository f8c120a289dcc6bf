"""The tables. Times are seconds since the epoch (UTC); ids of requests are 24 hex digits."""

from __future__ import annotations

from mcp_enrichment.service.db.schema.metadata import metadata
from mcp_enrichment.service.db.schema.people import (
    audit,
    contacts,
    inference_figures,
    people,
    privacy_key,
    suppressions,
)
from mcp_enrichment.service.db.schema.requests import (
    REMOVABLE,
    RUNNING,
    api_keys,
    callback_secrets,
    callback_tries,
    callbacks,
    idempotency_keys,
    jobs,
    ledger,
    requests,
    teams,
    write_checks,
)
from mcp_enrichment.service.db.schema.sources import (
    source_calls,
    source_health,
    source_lookups,
    source_turns,
)

__all__ = [
    "REMOVABLE",
    "RUNNING",
    "api_keys",
    "audit",
    "callback_secrets",
    "callback_tries",
    "callbacks",
    "contacts",
    "idempotency_keys",
    "inference_figures",
    "jobs",
    "ledger",
    "metadata",
    "people",
    "privacy_key",
    "requests",
    "source_calls",
    "source_health",
    "source_lookups",
    "source_turns",
    "suppressions",
    "teams",
    "write_checks",
]
