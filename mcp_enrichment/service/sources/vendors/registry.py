"""Vendors by name."""

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
"""The module of each, and its class there."""
NAMES = frozenset(_CLASSES)


def vendor(
    name: str, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None
) -> HTTPVendor:
    """The vendor of this name, to be closed by `aclose`. Raises `KeyError` where there is none."""
    return vendor_class(name)(api_key, transport=transport)


def vendor_class(name: str) -> type[HTTPVendor]:
    """Its class, for what can be said of it without a key."""
    found: type[HTTPVendor] = getattr(import_module(f"{__package__}.{name}"), _CLASSES[name])
    return found
