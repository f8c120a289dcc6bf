"""Claude Desktop starts the server with this file. It is beside the package, never inside it:
Python searches the folder of the file that it runs for imports, and ours holds a package called
`mcp`."""

from mcp_enrichment.__main__ import main

main()
