"""The page on the tools of the MCP server."""

from __future__ import annotations

from mcp_enrichment.mcp.tools import TOOLS, Tool
from website.reference.markdown import fields_table


def tools_page() -> str:
    """Each tool as `tools/list` shows it."""
    said = (
        "# Tools\n\nThe tools of the MCP server, as an assistant sees them: over stdio and over "
        "HTTP they are the same. A time-out is not an error: the answer then has "
        "`is_final: false` and names the next call. Every error is in the list of "
        "[errors](errors.md)."
    )
    return "\n\n".join([said, *(_tool(tool) for tool in TOOLS), ""])


def _tool(tool: Tool) -> str:
    shown = tool.to_mcp().model_dump(by_alias=True, exclude_none=True)
    cost = "It may spend credits." if tool.spends else "It is free."
    parts = [f"## `{tool.name}`", tool.description, cost]
    for title, schema in (("Arguments", "inputSchema"), ("Answer", "outputSchema")):
        fields = shown[schema].get("properties")
        table = fields_table(shown[schema]) if fields else "None."
        parts += [f"### {title} of `{tool.name}`", table]
        for name, one in shown[schema].get("$defs", {}).items():
            parts += [f"### {name}", fields_table(one)]
    return "\n\n".join(parts)
