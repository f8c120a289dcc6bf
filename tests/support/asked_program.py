"""The program, with vendors that are asked at another place: that of the variable VENDORS_AT."""

from __future__ import annotations

import os

from mcp_enrichment.cli import main
from mcp_enrichment.service.sources.vendors.registry import NAMES, kind_of_vendor

if __name__ == "__main__":
    for name in NAMES:
        kind = kind_of_vendor(name)
        kind.url, kind.ask_after = os.environ["VENDORS_AT"], kind.ask_after and 0.1
    main()
