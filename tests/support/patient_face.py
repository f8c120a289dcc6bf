"""The server, with all the time that a slow client or vendor may want at the end."""

from __future__ import annotations

from mcp_enrichment.cli import main
from mcp_enrichment.client import polls
from mcp_enrichment.mcp import incoming, stdio

if __name__ == "__main__":
    polls.LAST_LOOK = polls.TELL_BEFORE = 3.0  # of which nothing is held
    stdio.LINGER = incoming.PATIENCE = 60.0
    main()
