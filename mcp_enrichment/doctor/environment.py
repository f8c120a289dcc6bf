"""Variables that are read, and do not do what was meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mcp_enrichment.api_key.of_vendors import variable_of
from mcp_enrichment.doctor.finding import Finding, note
from mcp_enrichment.service.sources.vendors.registry import NAMES
from mcp_enrichment.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def unread() -> Iterator[Finding]:
    """Names that no setting has."""
    known = _known()
    names = [name for name in os.environ if name.upper().startswith("ENRICHMENT_")]
    if unknown := sorted(name for name in names if name.upper() not in known):
        yield note("settings", f"nothing reads {', '.join(unknown)}. Check the spelling.")


def idle(settings: Settings) -> Iterator[Finding]:
    """Limits of sources that are not asked."""
    limited = {limit.source for limit in settings.source_limits}
    for source in sorted(limited - set(settings.sources)):
        yield note(
            "settings",
            f"ENRICHMENT_SOURCE_LIMITS limits {source}, which is not among ENRICHMENT_SOURCES.",
        )


def _known() -> set[str]:
    keys = {variable_of(vendor) for vendor in NAMES}
    fields = {f"ENRICHMENT_{name.upper()}" for name in Settings.model_fields}
    return fields | keys | {f"{key}_FILE" for key in keys}
