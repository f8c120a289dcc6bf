"""Changing one value of a JSON text with comments; every other byte stays."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.setup.errors import ConfigHasComments, UnreadableConfig
from mcp_enrichment.setup.jsonc import Document, Member, Node, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.setup.formats import KeyPath

NEW = "{\n}\n"
"""What stands for a file that is missing, or empty."""
DEFAULT_UNIT = "  "
_SAME_LINE_COMMENTS = re.compile(r"(?:[ \t]*(?:/\*(?:(?!\*/)[^\r\n])*\*/|//[^\r\n]*))*")
_INDENTATION = re.compile(r"[ \t]*")


def load(text: str) -> dict[str, object]:
    """The text's value. Raises `UnreadableConfig`, also where it is no object."""
    value = parse(_or_new(text)).root.value
    if not isinstance(value, dict):
        raise UnreadableConfig("it is not an object")
    return value


def load_strictly(text: str) -> dict[str, object]:
    """The same for a client that reads JSON and no more. Raises `ConfigHasComments`, too."""
    value = load(text)
    try:
        json.loads(_or_new(text))
    except ValueError:
        raise ConfigHasComments from None
    return value


def put(text: str, path: KeyPath, value: object) -> str:
    """The text with this value at the path, in objects that are made where there are none."""
    edit = _Edit(_or_new(text))
    node = edit.document.root
    for depth, key in enumerate(path):
        if node.members is None:
            raise UnreadableConfig(f"{'.'.join(path[:depth]) or 'it'} is not an object")
        member = node.member(key)
        if member is None:
            for inner in reversed(path[depth + 1 :]):
                value = {inner: value}
            return edit.with_member(node, key, value)
        node = member.value
    return edit.with_value(node, value)


def remove(text: str, path: KeyPath) -> str:
    """The text without the member at the path, which must be there."""
    edit = _Edit(text)
    holder = edit.document.root
    for key in path[:-1]:
        holder = _member(holder, key).value
    return edit.without_member(holder, _member(holder, path[-1]))


def _member(holder: Node, key: str) -> Member:
    found = holder.member(key)
    if found is None:
        raise KeyError(key)
    return found


def _or_new(text: str) -> str:
    return text if text.strip("\ufeff \t\r\n") else NEW


@dataclass(frozen=True, slots=True)
class _Change:
    start: int
    end: int
    text: str


class _Edit:
    """The style of a text, and the changes that keep to it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.document: Document = parse(text)
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._unit = self._unit_of(self.document.root)

    def with_value(self, node: Node, value: object) -> str:
        return self._changed([_Change(node.start, node.end, self._written(value, node.start))])

    def with_member(self, holder: Node, key: str, value: object) -> str:
        if not holder.members:
            return self._changed([self._first_member(holder, key, value)])
        last = holder.members[-1]
        after = last.value.end if last.comma is None else last.comma + 1
        at = self._after_comments(after)
        shares_a_line = not (self._starts_a_line(last.start) or at in self.document.line_comments)
        gap = " " if shares_a_line else self._newline + self._indentation(last.start)
        written = self._written(value, last.start, flat=shares_a_line)
        member = f"{gap}{json.dumps(key)}: {written}"
        if last.comma is not None:
            return self._changed([_Change(at, at, f"{member},")])
        return self._changed([_Change(after, after, ","), _Change(at, at, member)])

    def without_member(self, holder: Node, member: Member) -> str:
        members = holder.members or ()
        before = [m for m in members if m.start < member.start][-1:]
        start = len(self._text[: member.start].rstrip())
        end = member.value.end if member.comma is None else member.comma + 1
        if start in self.document.line_comments and not self._ends_a_line(end):
            start = member.start  # what follows would become a part of the comment
        changes = [_Change(start, end, "")]
        if member.comma is None and before and before[0].comma is not None:
            changes.insert(0, _Change(before[0].comma, before[0].comma + 1, ""))
        return self._changed(changes)

    def _first_member(self, holder: Node, key: str, value: object) -> _Change:
        start = len(self._text[: holder.end - 1].rstrip())
        outer = self._indentation(holder.start)
        written = json.dumps({key: value}, indent=self._unit, ensure_ascii=False)
        lines = [f"{self._newline}{outer}{line}" for line in written.split("\n")[1:]]
        if "\n" in self._text[start : holder.end - 1]:
            return _Change(start, start, "".join(lines[:-1]))
        return _Change(start, holder.end, "".join(lines))

    def _written(self, value: object, beside: int, *, flat: bool = False) -> str:
        """The value as text, indented as the line is on which it begins."""
        flat = flat or "\n" not in self._text.strip()
        text = json.dumps(value, indent=None if flat else self._unit, ensure_ascii=False)
        return text.replace("\n", self._newline + self._indentation(beside))

    def _changed(self, changes: Sequence[_Change]) -> str:
        text = self._text
        for change in reversed(changes):
            text = text[: change.start] + change.text + text[change.end :]
        return text

    def _after_comments(self, at: int) -> int:
        found = _SAME_LINE_COMMENTS.match(self._text, at)
        return found.end() if found else at

    def _line_start(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _indentation(self, at: int) -> str:
        found = _INDENTATION.match(self._text, self._line_start(at))
        return found[0] if found else ""

    def _starts_a_line(self, at: int) -> bool:
        return not self._text[self._line_start(at) : at].strip()

    def _ends_a_line(self, at: int) -> bool:
        rest = self._text[at:].lstrip(" \t")
        return rest.startswith(("\n", "\r"))

    def _unit_of(self, root: Node) -> str:
        """What a level is indented by: as the first member is."""
        first = root.members[0] if root.members else None
        if first is None or not self._starts_a_line(first.start):
            return DEFAULT_UNIT
        unit = self._indentation(first.start).removeprefix(self._indentation(root.start))
        return unit or DEFAULT_UNIT
