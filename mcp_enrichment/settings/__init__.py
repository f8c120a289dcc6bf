"""Every setting of the program, read from the environment."""

from mcp_enrichment.settings.model import Settings

__all__ = ["Settings"]
