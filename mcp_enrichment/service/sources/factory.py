"""Creates the sources that the settings name, and closes them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.service.sources.base import is_vendor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pydantic import SecretStr

    from mcp_enrichment.service.sources.base import Source

CLOSING_SECONDS = 1.0


def sources(
    names: Sequence[str], own: Mapping[str, Source], keys: Mapping[str, SecretStr]
) -> Sequence[Source]:
    """The sources of these names in order: our own, and vendors with their keys."""
    return [own[name] if name in own else _vendor(name, keys[name]) for name in names]


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


def _vendor(name: str, key: SecretStr) -> Source:
    # Imported only if there are vendors.
    from mcp_enrichment.service.sources.vendors import registry  # noqa: PLC0415

    return registry.vendor(name, key.get_secret_value())
