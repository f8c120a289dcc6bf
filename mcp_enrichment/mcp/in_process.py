"""What a program makes of a tool's result, which a model would read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.errors import PermanentError
from mcp_enrichment.contract.explanation import Explanation

if TYPE_CHECKING:
    from mcp.types import CallToolResult


class ToolError(PermanentError):
    """A tool answered with an error; the explanation is the tool's own."""

    code = "tool_failed"


def structured_content(result: CallToolResult) -> dict[str, Any]:
    """The structured answer; `ToolFailed` where the result is an error."""
    if result.is_error:
        fields = (result.meta or {})["error"]["explanation"]
        raise ToolError(Explanation(**fields))
    content: dict[str, Any] = result.structured_content
    return content
