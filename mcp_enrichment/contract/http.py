"""The contract's paths, and what an id may look like."""

ENRICHMENTS = "/v1/api/enrichment/email"
"""POST starts a request; GET below it, with an id, reads one."""
CREDITS = "/v1/api/enrichment/credits"
HISTORY = CREDITS + "/history"
"""Additive: the ledger behind the balance."""
ENRICHMENT_ID = r"^[A-Za-z0-9_-]{1,128}$"
"""What may stand in the path as an id: anything a server may have chosen that needs no escape."""
