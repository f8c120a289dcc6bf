"""The server, with all the time that a slow client may want at the end."""

from __future__ import annotations

from mcp_enrichment.cli import main
from mcp_enrichment.mcp.stdio import transport

if __name__ == "__main__":
    transport.LINGER = 60.0
    main()
