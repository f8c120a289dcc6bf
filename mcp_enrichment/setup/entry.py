"""What becomes of a configuration's text. Pure: nothing is read or written here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.setup.errors import SetupError
from mcp_enrichment.setup.launch import is_ours, is_secret

if TYPE_CHECKING:
    from mcp_enrichment.setup.clients import ChatClient


def with_entry(
    client: ChatClient, text: str | None, entry: dict[str, Any], *, keep_secrets: bool = True
) -> str:
    """The text with our entry. What its owner added to an entry of ours is kept, but for our
    secrets where these are not to stay.

    Raises `UnreadableConfig`, and `SetupError` where another server bears our name.
    """
    text = text or ""
    there = client.format.at(text, client.path)
    if there is not None and not is_ours(there):
        raise SetupError(
            f"{client.title} has another server that is called {client.path[-1]!r}. Nothing was "
            "changed. Rename that one first."
        )
    chosen = client.wishes.keys() & (there or {}).keys()
    written = {key: value for key, value in entry.items() if key not in chosen}
    text = client.format.merged(text, client.path, written)
    for variable in () if keep_secrets else kept_variables(client, text, entry):
        if is_secret(variable):
            text = client.format.remove(text, (*client.path, "env", variable))
    return text


def kept_variables(client: ChatClient, text: str, entry: dict[str, Any]) -> list[str]:
    """The variables of ours that stand in the text's entry, and not in this one."""
    there = client.format.at(text, (*client.path, "env"))
    named = there if isinstance(there, dict) else {}
    return [v for v in named if v.startswith("ENRICHMENT_") and v not in entry.get("env", {})]


def holds_secrets(entry: dict[str, Any]) -> bool:
    """Whether others than its owner should not read the entry."""
    return any(is_secret(variable) for variable in entry.get("env", {}))


def has_entry(client: ChatClient, text: str | None) -> bool:
    """Whether our entry stands in the text. Raises `UnreadableConfig`."""
    return is_ours(client.format.at(text or "", client.path))


def without_entry(client: ChatClient, text: str, before: str | None) -> str | None:
    """The text as it was `before` where nothing else has changed since; otherwise the text
    with only our entry removed. None: the file was made for us, and is to go.

    Raises `UnreadableConfig`.
    """
    ours = client.format.at(text, client.path)
    if before is not None and with_entry(client, before, ours) == text:
        return before or None
    earlier = client.format.at(before or "", client.path)
    if is_ours(earlier):
        return client.format.put(text, client.path, earlier)
    return client.format.remove(text, client.path)
