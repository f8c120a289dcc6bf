"""Variables that are read, and do not do what was meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mcp_enrichment.app.preflight import network_fault
from mcp_enrichment.contract.text import strip_invisible
from mcp_enrichment.credentials.vendor_keys import key_variable
from mcp_enrichment.doctor.findings import Finding, note, wrong
from mcp_enrichment.service.sources.vendors.registry import NAMES
from mcp_enrichment.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def unknown_variables() -> Iterator[Finding]:
    """Names that no setting has."""
    known = _known()
    # A file of variables may begin with a mark, and a client's own may have a space in a name.
    names = [name for name in os.environ if strip_invisible(name).upper().startswith("ENRICHMENT_")]
    if unknown := sorted(strip_invisible(name) for name in names if name.upper() not in known):
        yield note(
            "settings",
            f"nothing reads {', '.join(unknown)}. Check the spelling, and the white space around.",
        )


def unused_limits(settings: Settings) -> Iterator[Finding]:
    """Limits of sources that are not asked."""
    limited = {limit.source for limit in settings.source_limits}
    for source in sorted(limited - set(settings.sources)):
        yield note(
            "settings",
            f"ENRICHMENT_SOURCE_LIMITS limits {source}, which is not among ENRICHMENT_SOURCES.",
        )


def network(settings: Settings) -> Iterator[Finding]:
    """Variables for proxies and certificates that cannot be used."""
    if fault := network_fault(settings):
        yield wrong("network", fault)


def _known() -> set[str]:
    keys = {key_variable(vendor) for vendor in NAMES}
    fields = {f"ENRICHMENT_{name.upper()}" for name in Settings.model_fields}
    return fields | keys | {f"{key}_FILE" for key in keys}
