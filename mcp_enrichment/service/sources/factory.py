"""Creates the sources that the settings name, and closes them.

The module of a vendor is imported when the vendor is used.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.service.sources.base import is_vendor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import httpx
    from pydantic import SecretStr

    from mcp_enrichment.service.sources.base import Source
    from mcp_enrichment.service.sources.vendors.base import HTTPVendor


CLOSING_SECONDS = 1.0
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


def create_sources(
    names: Sequence[str], own: Mapping[str, Source], keys: Mapping[str, SecretStr]
) -> Sequence[Source]:
    """The sources of these names in order: our own, and vendors with their keys."""
    return [
        own[name] if name in own else create_vendor(name, keys[name].get_secret_value())
        for name in names
    ]


@asynccontextmanager
async def closing_sources(sources: Sequence[Source]) -> AsyncIterator[None]:
    """Close the sources after the block, also if it is cancelled."""
    try:
        yield
    finally:
        with anyio.move_on_after(CLOSING_SECONDS, shield=True):
            for source in sources:
                if is_vendor(source):
                    await source.aclose()


def create_vendor(
    name: str, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None
) -> HTTPVendor:
    """Create the vendor, to be closed by `aclose`. Raises `KeyError` for an unknown name."""
    return vendor_class(name)(api_key, transport=transport)


def vendor_class(name: str) -> type[HTTPVendor]:
    """The class of a vendor, for its declared attributes."""
    found: type[HTTPVendor] = getattr(
        import_module(f"{__package__}.vendors.{name}"), _CLASSES[name]
    )
    return found
