"""The program, with vendors at another URL: that of the variable VENDORS_AT.

The product allows a moment for the end of the process, which is too short on a busy machine. So the
end has no limit here; END_SECONDS, if set, is how long a running vendor call may take.
"""

from __future__ import annotations

import os

from mcp_enrichment.app import service
from mcp_enrichment.cli import main, signals
from mcp_enrichment.service.sources.vendors.registry import NAMES, vendor_class
from tests.support.release_patience import let_jobs_be_released
from tests.support.waiting import HANG

if __name__ == "__main__":
    let_jobs_be_released()
    signals.CLEANUP_SECONDS = HANG
    if seconds := os.environ.get("END_SECONDS"):
        service.EMBEDDED_STOP_SECONDS = float(seconds)
    for name in NAMES:
        kind = vendor_class(name)
        kind.url, kind.poll_after = os.environ["VENDORS_AT"], kind.poll_after and 0.1
    main()
