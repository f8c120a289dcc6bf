"""The server, with much time at its end for a slow client or vendor."""

from __future__ import annotations

from mcp_enrichment.cli import main
from mcp_enrichment.client import poller
from mcp_enrichment.mcp.stdio import streams

if __name__ == "__main__":
    poller.LAST_POLL_SECONDS = poller.RESPONSE_MARGIN = 3.0  # the last poll requests no hold
    streams.LINGER = streams.GONE_SECONDS = 60.0
    main()
