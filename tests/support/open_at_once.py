"""A process that opens the database named in its argument once a line arrives on its stdin."""

import sys
from pathlib import Path

from mcp_enrichment.service.accounts.teams import embedded_team
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.db.sqlite import open_sqlite

print("ready", flush=True)
sys.stdin.readline()
database = open_sqlite(Path(sys.argv[1]))
database.write_now(lambda c: embedded_team(c, at=0))
print(database.read_now(lambda c: ledger.balance(c, 1).available), flush=True)
database.close()
