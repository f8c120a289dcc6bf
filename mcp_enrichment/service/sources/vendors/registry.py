"""The vendors by name. A module is imported when its vendor is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from mcp_enrichment.service.sources.vendors.base import HTTPVendor

_CLASSES = {
    "salesfinity": "Salesfinity",
    "hunter": "Hunter",
    "prospeo": "Prospeo",
    "fullenrich": "FullEnrich",
    "peopledatalabs": "PeopleDataLabs",
    "leadmagic": "LeadMagic",
    "findymail": "Findymail",
    "contactout": "ContactOut",
    "apollo": "Apollo",
    "wiza": "Wiza",
    "bettercontact": "BetterContact",
    "dropcontact": "Dropcontact",
}
"""The module of each vendor, and its class."""
NAMES = frozenset(_CLASSES)


def vendor(
    name: str, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None
) -> HTTPVendor:
    """Create the vendor, to be closed by `aclose`. Raises `KeyError` for an unknown name."""
    return vendor_class(name)(api_key, transport=transport)


def vendor_class(name: str) -> type[HTTPVendor]:
    """The class of a vendor, for its declared attributes."""
    found: type[HTTPVendor] = getattr(import_module(f"{__package__}.{name}"), _CLASSES[name])
    return found
