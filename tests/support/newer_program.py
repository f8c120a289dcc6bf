"""The program with a newer schema than the database's: `python -m tests.support.newer_program`."""

from __future__ import annotations

from mcp_enrichment.cli import main
from mcp_enrichment.service.db import migrate

if __name__ == "__main__":
    migrate.HEAD = "0002"
    main()
