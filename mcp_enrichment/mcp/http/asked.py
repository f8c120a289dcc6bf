"""What a body asks for, as far as it matters before the protocol reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mcp_enrichment.mcp.tools import TOOLS

_QUICK = frozenset(tool.name for tool in TOOLS if not tool.waits)


@dataclass(frozen=True, slots=True)
class Asked:
    """One body; junk asks for nothing."""

    tool: str | None = None
    """The tool that it calls."""
    tells_progress: bool = False

    @property
    def is_quick(self) -> bool:
        """Whether its answer comes soon and alone, so that nothing need be ready to stream it."""
        return self.tool in _QUICK and not self.tells_progress


def asked_in(body: bytes) -> Asked:
    """What it asks for."""
    try:
        message = json.loads(body)
        params = message["params"] if message["method"] == "tools/call" else {}
        name, meta = params.get("name"), params.get("_meta") or {}
        return Asked(name if isinstance(name, str) else None, "progressToken" in meta)
    except (ValueError, RecursionError, TypeError, LookupError, AttributeError):
        return Asked()
