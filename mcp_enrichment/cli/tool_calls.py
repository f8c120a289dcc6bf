"""Calling the tools as an assistant would, for a person at a terminal."""

from __future__ import annotations

from typing import Any

from mcp_enrichment.cli.errors import settings


def call_tool(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The tool's structured answer. An error ends the command with its sentence."""
    import anyio

    from mcp_enrichment.cli.serve import log_to_stderr
    from mcp_enrichment.compose import connected_on_first_use
    from mcp_enrichment.mcp.local import call

    chosen = settings()
    log_to_stderr(chosen)

    async def run() -> dict[str, Any]:
        async with connected_on_first_use(chosen) as client:
            return await call(client, name, arguments)

    return anyio.run(run)
