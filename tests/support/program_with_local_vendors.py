"""The program, with vendors that are asked at another place: that of the variable VENDORS_AT.

END_SECONDS, where it is set, is how long the end of the process may take: on a busy machine the
moment that the product allows is over before anything is done."""

from __future__ import annotations

import os

from mcp_enrichment.app import service
from mcp_enrichment.cli import main, signals
from mcp_enrichment.service.sources.vendors.registry import NAMES, vendor_class

if __name__ == "__main__":
    if seconds := os.environ.get("END_SECONDS"):
        service.EMBEDDED_STOP_SECONDS = signals.CLEANUP_SECONDS = float(seconds)
    for name in NAMES:
        kind = vendor_class(name)
        kind.url, kind.poll_after = os.environ["VENDORS_AT"], kind.poll_after and 0.1
    main()
