"""Reads a tool result in a program instead of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.errors import PermanentError
from mcp_enrichment.contract.explanation import Explanation

if TYPE_CHECKING:
    from mcp.types import CallToolResult


class ToolError(PermanentError):
    """A tool result that is an error, with its explanation."""

    code = "tool_failed"


def structured_content(result: CallToolResult) -> dict[str, Any]:
    """The structured content of a result. Raises `ToolError` if it is an error."""
    if result.is_error:
        fields = (result.meta or {})["error"]["explanation"]
        raise ToolError(Explanation(**fields))
    content: dict[str, Any] = result.structured_content
    return content
