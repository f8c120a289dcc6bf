"""Where Claude Desktop starts the server from: beside the package, never inside it, as a folder
that Python runs from is searched for imports, and ours holds one that is called `mcp`."""

from mcp_enrichment.__main__ import main

main()
