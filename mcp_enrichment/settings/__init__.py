"""Every setting of the program, read from the environment."""

from mcp_enrichment.settings.model import InvalidSettings, Settings, load_settings

__all__ = ["InvalidSettings", "Settings", "load_settings"]
