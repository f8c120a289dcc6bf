"""The contract's HTTP: its paths, its ids, hosts and ports, and the header `Retry-After`."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from ipaddress import ip_address

from mcp_enrichment.contract.defaults import DAY

ENRICHMENTS = "/v1/api/enrichment/email"
"""POST submits a request. GET with an id below it reads one."""
BATCH = ENRICHMENTS + "/batch"
"""Our addition to the contract: POST submits several requests."""
BATCH_LIMIT = "Enrichment-Batch-Limit"
"""The header by which a service reports that it accepts batches; its value is the most requests of
one."""
CREDITS = "/v1/api/enrichment/credits"
HISTORY = CREDITS + "/history"
"""Our addition to the contract: the ledger."""
ENRICHMENT_ID = r"^[A-Za-z0-9_-]{1,128}$"
"""An id as part of a path: a service may choose any that needs no escape."""

IDEMPOTENCY_SECONDS = DAY
"""How long an idempotency key refers to its first request."""
DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_RETRY_AFTER = DAY
"""Seconds. A longer `Retry-After` is reduced to this."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server at this IP address or name."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_retry_after(value: str | None) -> float | None:
    """The seconds of a `Retry-After` header in either form (RFC 9110, section 10.2.3), or None."""
    if value is None:
        return None
    if (text := value.strip()).isdecimal():
        return min(float(text), MAX_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
