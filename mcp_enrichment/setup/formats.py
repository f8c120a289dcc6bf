"""The formats of client configurations: read a text, and change one value in it.

JSON is parsed and written again, so a text with comments is never changed. TOML is edited in place
by tomlkit, which keeps comments.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from abc import ABC, abstractmethod
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomlkit import TOMLDocument

# tomlkit is needed for Codex only.
# ruff: noqa: PLC0415

KeyPath = tuple[str, ...]
"""The keys from the root of a configuration to one of its values."""
_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"({_STRING}|[{{\[,:]\s*,)|,(?=\s*[}}\]])", re.DOTALL)
"""A comma after another mark is an error, and is kept."""
_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)
_ESCAPE = re.compile(r"\\u(?!00[01])")
"""Escapes a printable character, and so shows that the text escapes all that is not ASCII."""
_BRACKETS = {"{": 1, "[": 1, "}": -1, "]": -1}
DEFAULT_INDENT = "  "
MAX_DEPTH = 100
"""Levels of nesting. Configurations have far fewer, and parsing recurses."""


class UnreadableConfig(Exception):
    """The text is not valid in its format, or cannot be edited. The message says where."""


class ConfigHasComments(UnreadableConfig):
    """The text is JSON with comments or trailing commas, which writing it again would drop."""

    def __init__(self) -> None:
        super().__init__("it has comments, or a comma before a bracket")


class ConfigFormat(ABC):
    """Reads a text, and changes one of its values. Every method raises `UnreadableConfig`."""

    name: str

    @abstractmethod
    def load(self, text: str) -> dict[str, Any]:
        """Parse the text as the client does."""

    def load_editable(self, text: str) -> dict[str, Any]:
        """Parse a text that can be changed without loss. Raises `ConfigHasComments` for another."""
        return self.load(text)

    @abstractmethod
    def put(self, text: str, path: KeyPath, value: object) -> str:
        """Put the value at the path, in place of a present one. Missing objects are created."""

    @abstractmethod
    def remove(self, text: str, path: KeyPath) -> str:
        """Remove the value at the path, which must exist."""

    def at(self, text: str, path: KeyPath) -> Any:
        """The value at the path, or None."""
        value: Any = self.load(text)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def merged(self, text: str, path: KeyPath, value: object) -> str:
        """Put the value at the path. Keys that an object at the path has beyond it are kept."""
        present = self.at(text, path)
        if isinstance(present, dict) and isinstance(value, dict):
            for key, inner in value.items():
                text = self.merged(text, (*path, key), inner)
            return text
        return text if present == value else self.put(text, path, value)


def _holder(root: Any, path: KeyPath, kind: str, make: Callable[[], Any] = dict) -> Any:
    """The object that has the last key of the path. Missing objects are created."""
    for depth, key in enumerate(path[:-1]):
        root = root.setdefault(key, make())
        if not isinstance(root, dict):
            raise UnreadableConfig(f"{'.'.join(path[: depth + 1])} is not {kind}")
    return root


class StrictJson(ConfigFormat):
    """JSON, parsed and written again. Its reader knows no comments."""

    name = "JSON"

    def load(self, text: str) -> dict[str, Any]:
        try:
            return _parse_json(text)
        except UnreadableConfig:
            _parse_jsonc(text)
            raise ConfigHasComments from None

    def load_editable(self, text: str) -> dict[str, Any]:
        StrictJson.load(self, text)
        return _parse_json(text, object_pairs_hook=_unique, parse_float=_finite)

    def put(self, text: str, path: KeyPath, value: object) -> str:
        root = self.load_editable(text)
        _holder(root, path, "an object")[path[-1]] = value
        return _dump_json(root, like=text)

    def remove(self, text: str, path: KeyPath) -> str:
        root = self.load_editable(text)
        del _holder(root, path, "an object")[path[-1]]
        return _dump_json(root, like=text)


class EditorJson(StrictJson):
    """JSON whose reader knows comments and trailing commas, as editors do."""

    def load(self, text: str) -> dict[str, Any]:
        return _parse_jsonc(text)


def _parse_jsonc(text: str) -> dict[str, Any]:
    """Parse JSON as editors do: with comments and trailing commas."""
    for noise in (_COMMENT, _TRAILING_COMMA):
        text = noise.sub(_blank, text)
    return _parse_json(text)


def _blank(found: re.Match[str]) -> str:
    """Keep what is no noise. Keep the line ends of a comment, so that line numbers stay right."""
    return found[1] or "\n" * found[0].count("\n") or " "


def _parse_json(text: str, **options: Any) -> dict[str, Any]:
    def refuse_constant(name: str) -> NoReturn:
        raise json.JSONDecodeError("not JSON", text, text.index(name))

    structure = re.sub(_STRING, "", text, flags=re.DOTALL)
    if max(accumulate(_BRACKETS.get(mark, 0) for mark in structure), default=0) > MAX_DEPTH:
        raise UnreadableConfig("it is nested too deeply")
    try:
        value = json.loads(
            text if text.strip() else "{}", parse_constant=refuse_constant, **options
        )
    except json.JSONDecodeError as error:
        raise UnreadableConfig(f"line {error.lineno}") from None
    except ValueError:  # Python converts no integer of over 4,300 digits
        raise UnreadableConfig("a number is too long") from None
    if not isinstance(value, dict):
        raise UnreadableConfig("it is not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(value := dict(pairs)) < len(pairs):
        raise UnreadableConfig("an object has the same key twice")
    return value


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise UnreadableConfig("a number is too large")
    return number


def _dump_json(value: dict[str, Any], *, like: str) -> str:
    """Write the value with the indentation, the escapes and the line ends of the other text."""
    body = like.strip()
    found = _INDENT.search(like)
    indent = found[1] if found else DEFAULT_INDENT
    is_one_line = body not in ("", "{}") and "\n" not in body
    written = json.dumps(
        value, indent=None if is_one_line else indent, ensure_ascii=bool(_ESCAPE.search(like))
    )
    end = like[len(like.rstrip()) :] if body else "\n"
    return written.replace("\n", "\r\n" if "\r\n" in like else "\n") + end


class Toml(ConfigFormat):
    """TOML, edited in place, which keeps comments. Each change is verified by reading it."""

    name = "TOML"

    def load(self, text: str) -> dict[str, Any]:
        try:
            return tomllib.loads(text, parse_float=_float)
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line \d+", str(error))
            repeats = " repeats a key" if re.search("overwrite|twice", str(error)) else ""
            raise UnreadableConfig(line[0] + repeats if line else "its end") from None
        except RecursionError:
            raise UnreadableConfig("it is nested too deeply") from None
        except ValueError:  # Python converts no integer of over 4,300 digits
            raise UnreadableConfig("a number is too long") from None

    def put(self, text: str, path: KeyPath, value: object) -> str:
        expected = self.load(text)
        changed = _put_toml(text, path, value)
        _holder(expected, path, "an object")[path[-1]] = value
        return self._verified(changed, expected)

    def remove(self, text: str, path: KeyPath) -> str:
        expected = self.load(text)
        document: Any = _toml_document(text)
        for root in (document, expected):
            del _holder(root, path, "a table")[path[-1]]
        return self._verified(document.as_string(), expected)

    def _verified(self, changed: str, expected: dict[str, Any]) -> str:
        if _without_empty(self.load(changed)) != _without_empty(expected):
            raise UnreadableConfig("a part that cannot be changed without changing another")
        return changed


def _without_empty(value: dict[str, Any]) -> dict[str, Any]:
    # TOML cannot express an empty table of tables.
    return {key: inner for key, inner in value.items() if inner != {}}


def _float(text: str) -> float:
    """The number; `nan` as one object, by which two readings of a text compare as equal."""
    number = float(text)
    return math.nan if math.isnan(number) else number


def _put_toml(text: str, path: KeyPath, value: object) -> str:
    from tomlkit import dumps, table

    document: Any = _toml_document(text)
    holder = _holder(document, path, "a table", lambda: table(is_super_table=True))
    if path[-1] not in holder and isinstance(value, dict):
        # A table that is appended after an inline one of its name is invalid.
        with suppress(tomllib.TOMLDecodeError):
            appended = _appended(text, path, value)
            tomllib.loads(appended)
            return appended
    holder[path[-1]] = value
    return dumps(document)


def _toml_document(text: str) -> TOMLDocument:
    from tomlkit import parse
    from tomlkit.exceptions import TOMLKitError

    try:
        return parse(text)
    except TOMLKitError:
        raise UnreadableConfig("a part that only newer readers understand") from None


def _appended(text: str, path: KeyPath, value: dict[str, Any]) -> str:
    """The text with the value as a table of its own at the end, so that nothing else moves."""
    from tomlkit import dumps

    whole: Any = value
    for key in reversed(path):
        whole = {key: whole}
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + dumps(whole).replace("\n", newline)


STRICT_JSON, JSON, TOML = StrictJson(), EditorJson(), Toml()
