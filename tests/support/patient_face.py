"""The server, with all the time that a slow client may want at the end."""

from __future__ import annotations

from mcp_enrichment.cli import main
from mcp_enrichment.mcp import incoming, stdio

if __name__ == "__main__":
    stdio.LINGER = incoming.PATIENCE = 60.0
    main()
