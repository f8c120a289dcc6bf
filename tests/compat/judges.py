"""Programs that judge servers and hosts. Each name has its package, as npm or pip takes it."""

INSPECTOR = "@modelcontextprotocol/inspector@~2.12.0"
CONFORMANCE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
"""The first release that knows 2026-07-28. Exact, as each release adds scenarios."""
TOOLPROOF = "mcp-toolproof>=0.3.1,<0.4"
EXT_APPS = "@modelcontextprotocol/ext-apps@~2.0.4"

JUDGES = {
    "MCP Inspector": (INSPECTOR, "listed every tool without a warning, answered"),
    "MCP's conformance suite": (CONFORMANCE, "no failure that is not known, with its reason"),
    "toolproof": (TOOLPROOF, "listed every tool without a flaw; no generated call crashes it"),
    "MCP Apps' reference chat": (EXT_APPS, "showed the table of a list, answered"),
}
"""Each judge's package, and what was seen."""
