"""Who is meant where nobody is named."""

from __future__ import annotations

VENDOR_URL = "https://client-api.salesfinity.co"
"""The vendor of the contract: whom a key is for when no URL is set."""
DEFAULT_TEAM = "default"
"""The one team of an installation that has set up no other."""
