"""The vendors by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.port import Vendor

NAMES: frozenset[str] = frozenset()
"""Of the vendors that there is an adapter for."""


def vendor(name: str, api_key: str) -> Vendor:  # noqa: ARG001
    """The vendor of this name, to be closed by `aclose`. Raises `KeyError` where there is none."""
    raise KeyError(name)
