"""The formats of configurations: what is done to a text, and that nothing else is."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mcp_enrichment.setup import jsonc_edit, toml_edit
from mcp_enrichment.setup.errors import UnreadableConfig

if TYPE_CHECKING:
    from collections.abc import Callable

KeyPath = tuple[str, ...]
"""The keys that lead from the whole to a value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """Reads a text, and changes one value of it. Each raises `UnreadableConfig`."""

    name: str
    load: Callable[[str], dict[str, Any]]
    _put: Callable[[str, KeyPath, object], str]
    _remove: Callable[[str, KeyPath], str]

    def at(self, text: str, path: KeyPath) -> Any:
        """The value at the path; None where there is none."""
        value: Any = self.load(text)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def merged(self, text: str, path: KeyPath, value: object) -> str:
        """The text with the value at the path; of an object that stands there, what the value does
        not name is kept."""
        there = self.at(text, path)
        if isinstance(there, dict) and isinstance(value, dict):
            for key, inner in value.items():
                text = self.merged(text, (*path, key), inner)
            return text
        return text if there == value else self.put(text, path, value)

    def put(self, text: str, path: KeyPath, value: object) -> str:
        """The text with this value at the path, in place of what stands there."""
        expected = holder = deepcopy(self.load(text))
        changed = self._put(text, path, value)
        for key in path[:-1]:
            holder = holder.setdefault(key, {})
        holder[path[-1]] = value
        return self._safe(changed, expected)

    def remove(self, text: str, path: KeyPath) -> str:
        """The text without the value that stands at the path."""
        expected = holder = deepcopy(self.load(text))
        changed = self._remove(text, path)
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]
        return self._safe(changed, expected)

    def _safe(self, changed: str, expected: dict[str, Any]) -> str:
        if _without_empty(self.load(changed)) != _without_empty(expected):
            raise UnreadableConfig("a part that cannot be changed without changing another")
        return changed


def _without_empty(value: dict[str, Any]) -> dict[str, Any]:
    # TOML has no way to write that a table of tables is there, and empty.
    return {key: inner for key, inner in value.items() if inner != {}}


JSON = Format(name="JSON", load=jsonc_edit.load, _put=jsonc_edit.put, _remove=jsonc_edit.remove)
"""As editors read it, with comments."""
STRICT_JSON = replace(JSON, load=jsonc_edit.load_strictly)
TOML = Format(name="TOML", load=toml_edit.load, _put=toml_edit.put, _remove=toml_edit.remove)
