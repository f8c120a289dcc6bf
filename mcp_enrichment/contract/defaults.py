"""Constants that several packages share."""

from __future__ import annotations

VENDOR_URL = "https://client-api.salesfinity.co"
"""The vendor of the contract: the service if ENRICHMENT_API_URL is not set."""
DAY = 86_400.0
"""Seconds."""
INVALID_SETTINGS_EXIT = 2
"""The exit code of every command with invalid settings."""
DEFAULT_TEAM = "default"
"""The team of an installation without other teams."""
