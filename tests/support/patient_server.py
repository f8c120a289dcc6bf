"""The server, with all the time that a slow client or vendor may want at the end."""

from __future__ import annotations

from mcp_enrichment.cli import main
from mcp_enrichment.client import poller
from mcp_enrichment.mcp import stdio
from mcp_enrichment.mcp.stdio import reader

if __name__ == "__main__":
    poller.LAST_LOOK = poller.TELL_BEFORE = 3.0  # of which nothing is held
    stdio.LINGER = reader.PATIENCE = 60.0
    main()
