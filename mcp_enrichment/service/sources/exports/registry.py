"""The tables that are known by their header."""

from __future__ import annotations

from mcp_enrichment.service.sources.exports.apollo import APOLLO
from mcp_enrichment.service.sources.exports.google import GOOGLE
from mcp_enrichment.service.sources.exports.hubspot import HUBSPOT
from mcp_enrichment.service.sources.exports.linkedin import LINKEDIN
from mcp_enrichment.service.sources.exports.outlook import OUTLOOK
from mcp_enrichment.service.sources.exports.salesforce import SALESFORCE

FORMATS = (LINKEDIN, APOLLO, GOOGLE, OUTLOOK, HUBSPOT, SALESFORCE)
"""In the order they are tried: the most distinctive header first."""
