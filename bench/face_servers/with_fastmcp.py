"""FastMCP over its own transports: `[http PORT]`."""

from __future__ import annotations

import sys
from typing import Any

from fastmcp import FastMCP

server = FastMCP("fastmcp")


@server.tool
async def get_credits() -> dict[str, Any]:
    """Return the constant: FastMCP makes text and structured content of it."""
    return {"balance": 250, "spent_today": 0, "budget_left": None, "next_step": None}


if __name__ == "__main__":
    if "http" in sys.argv:
        port, quiet = int(sys.argv[-1]), {"log_config": None, "access_log": False}
        server.run("http", port=port, stateless_http=True, show_banner=False, uvicorn_config=quiet)
    else:
        server.run(show_banner=False, log_level="ERROR")
