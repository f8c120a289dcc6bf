"""FastMCP over its own transport."""

from __future__ import annotations

from typing import Any

from fastmcp import FastMCP

server = FastMCP("fastmcp")


@server.tool
async def get_credits() -> dict[str, Any]:
    """The constant: FastMCP makes text and structured content of it."""
    return {"balance": 250, "spent_today": 0, "budget_left": None, "next_step": None}


if __name__ == "__main__":
    server.run(show_banner=False, log_level="ERROR")
