"""Changing one value of a TOML text; the rest stays as it was written."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from mcp_enrichment.setup.errors import UnreadableConfig

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

    from mcp_enrichment.setup.formats import KeyPath

# Only who sets up Codex needs tomlkit.
# ruff: noqa: PLC0415


def load(text: str) -> dict[str, object]:
    """The text's value. Raises `UnreadableConfig` with the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line \d+", str(error))
        raise UnreadableConfig(line[0] if line else "its end") from None


def put(text: str, path: KeyPath, value: object) -> str:
    """The text with this value at the path, in tables that are made where there are none."""
    import tomlkit

    document: Any = _document(text)
    table = document
    for depth, key in enumerate(path[:-1]):
        table = table.setdefault(key, tomlkit.table(is_super_table=True))
        if not isinstance(table, dict):
            raise UnreadableConfig(f"{'.'.join(path[: depth + 1])} is not a table")
    if path[-1] not in table and isinstance(value, dict):
        appended = _appended(text, path, value)
        if _is_toml(appended):
            return appended
    table[path[-1]] = value
    return tomlkit.dumps(document)


def remove(text: str, path: KeyPath) -> str:
    """The text without the value at the path, which must be there."""
    import tomlkit

    document: Any = _document(text)
    table = document
    for key in path[:-1]:
        table = table[key]
    del table[path[-1]]
    return tomlkit.dumps(document)


def _document(text: str) -> TOMLDocument:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError:
        raise UnreadableConfig("a part that only newer readers understand") from None


def _appended(text: str, path: KeyPath, value: dict[str, Any]) -> str:
    """The text with the value as a table of its own at the end, which moves nothing."""
    import tomlkit

    whole: Any = value
    for key in reversed(path):
        whole = {key: whole}
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + tomlkit.dumps(whole).replace("\n", newline)


def _is_toml(text: str) -> bool:
    """Whether the text is TOML: it is not once a table was added to an inline one."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True
