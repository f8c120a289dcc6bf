from mcp_enrichment.cli import main

main()
