"""Emails for LinkedIn profiles: an MCP server, an HTTP client and a self-hostable service."""

__version__ = "0.1.0"
