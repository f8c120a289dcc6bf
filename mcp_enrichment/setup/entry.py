"""Our entry in the text of a configuration: added, compared, removed. No file is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.setup.config_file import SetupError
from mcp_enrichment.setup.launch import is_ours, is_secret

if TYPE_CHECKING:
    from mcp_enrichment.setup.clients import ChatClient


def with_entry(client: ChatClient, text: str | None, entry: dict[str, Any]) -> str:
    """Add our entry to the text. Keys that the owner has added to an existing entry of ours stay.

    Raises `UnreadableConfig`, and `SetupError` if another server has our name.
    """
    text = text or ""
    present = client.format.at(text, client.path)
    if present is not None and not is_ours(present):
        raise SetupError(
            f"{client.title} has another server that is called {client.path[-1]!r}. Nothing was "
            "changed. Rename that one first."
        )
    decided = client.defaults.keys() & (present or {}).keys()
    written = {key: value for key, value in entry.items() if key not in decided}
    return client.format.merged(text, client.path, written)


def without_secrets(client: ChatClient, text: str) -> str:
    """Remove the keys and other secrets of ours from our entry in the text. Raises
    `UnreadableConfig`."""
    environment = (*client.path, "env")
    for variable in kept_variables(client, text, {}) if has_entry(client, text) else ():
        if is_secret(variable, client.format.at(text, (*environment, variable))):
            text = client.format.remove(text, (*environment, variable))
    return text


def kept_variables(client: ChatClient, text: str, entry: dict[str, Any]) -> list[str]:
    """Our variables in the text's entry that are not in this one."""
    present = client.format.at(text, (*client.path, "env"))
    named = present if isinstance(present, dict) else {}
    return [v for v in named if v.startswith("ENRICHMENT_") and v not in entry.get("env", {})]


def holds_secrets(entry: dict[str, Any]) -> bool:
    """Whether only the owner may read the entry."""
    return any(is_secret(*variable) for variable in entry.get("env", {}).items())


def has_entry(client: ChatClient, text: str | None) -> bool:
    """Whether the text has our entry. Raises `UnreadableConfig`."""
    return is_ours(client.format.at(text or "", client.path))


def without_entry(client: ChatClient, text: str, before: str | None) -> str | None:
    """Remove our entry from the text, or restore the entry of ours that `before` has.

    If nothing else has changed since, this is the text `before`. None: the file did not exist and
    is to be deleted. Raises `UnreadableConfig`.
    """
    ours = client.format.at(text, client.path)
    if before is not None and with_entry(client, before, ours) == text:
        return before or None
    earlier = client.format.at(before or "", client.path)
    if is_ours(earlier):
        return client.format.put(text, client.path, earlier)
    return client.format.remove(text, client.path)
