"""Emails for LinkedIn profiles: an MCP server, an HTTP client and a self-hostable service."""

__version__ = "0.1.0"
PROGRAM = "mcp-enrichment"
"""What it is called, wherever it is named: the command, the package, the server, the folders."""
