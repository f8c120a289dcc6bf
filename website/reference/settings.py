"""The page on settings."""

from tests.support.generated_docs import OF_HTTP, OF_PRIVACY, OF_SOURCES, settings_table

GROUPS = {
    "General": (),
    "MCP over HTTP": OF_HTTP,
    "Personal data": OF_PRIVACY,
    "Sources of addresses": OF_SOURCES,
}


def settings_page() -> str:
    """Every setting, by the part of the program that it belongs to."""
    said = (
        "# Settings\n\nEvery setting is an environment variable, read once when a process starts. "
        "A chat client sets them in the entry of the server (`env`). `mcp-enrichment doctor` says "
        "which one is wrong. Keys of vendors are on the page about [vendors](vendors.md)."
    )
    groups = [f"## {title}\n\n{settings_table(*of)}" for title, of in GROUPS.items()]
    return "\n\n".join([said, *groups, ""])
