"""What a body asks for, as far as it matters before the protocol reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mcp.types import INVALID_REQUEST, PARSE_ERROR, jsonrpc_message_adapter
from pydantic import ValidationError

from mcp_enrichment.mcp.http.refused import Refused
from mcp_enrichment.mcp.tools import TOOLS

NO_JSON = "The body is not JSON."
NO_MESSAGE = "The body must be one JSON-RPC message; batches are not taken."
_QUICK = frozenset(tool.name for tool in TOOLS if not tool.waits)


@dataclass(frozen=True, slots=True)
class Asked:
    """One body; a message that calls no tool asks for nothing."""

    tool: str | None = None
    """The tool that it calls."""
    tells_progress: bool = False

    @property
    def is_quick(self) -> bool:
        """Whether its answer comes soon and alone, so that nothing need be ready to stream it."""
        return self.tool in _QUICK and not self.tells_progress


def asked_in(body: bytes) -> Asked:
    """What it asks for. Raises `Refused` for what is no message: the SDK would quote it."""
    message = _message_in(body)
    try:
        params = message["params"] if message["method"] == "tools/call" else {}
        name, meta = params.get("name"), params.get("_meta") or {}
        return Asked(name if isinstance(name, str) else None, "progressToken" in meta)
    except (TypeError, LookupError, AttributeError):
        return Asked()


def _message_in(body: bytes) -> Any:
    try:
        message = json.loads(body)
        jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValidationError:
        raise Refused(400, NO_MESSAGE, code=INVALID_REQUEST) from None
    except (ValueError, RecursionError):
        raise Refused(400, NO_JSON, code=PARSE_ERROR) from None
    return message
