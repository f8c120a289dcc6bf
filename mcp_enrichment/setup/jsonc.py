"""JSON as editors write it, with comments and trailing commas, read with its places in the text.

Python's own parser forgets where a value stood, and would write the file anew without what its
owner has put there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from mcp_enrichment.setup.errors import UnreadableConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 100
"""Levels of nesting; no configuration has them, and Python's stack has not many more."""

_TOKEN = re.compile(
    r"""
      (?P<space> [\ \t\r\n\ufeff]+ )
    | (?P<line> //[^\r\n]* )
    | (?P<block> /\*.*?\*/ )
    | (?P<scalar> "(?:[^"\\]|\\.)*" | -?[0-9][0-9.eE+-]* | true | false | null )
    | (?P<mark> [{}\[\],:] )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A key of an object with its value, and the comma that follows it."""

    key: str
    start: int
    value: Node
    comma: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A value, and where it stands. `members` are those of an object, in order."""

    value: object
    start: int
    end: int
    members: tuple[Member, ...] | None = None

    def member(self, key: str) -> Member | None:
        """The member of this key: the last one, as JSON's readers have it."""
        return next((m for m in reversed(self.members or ()) if m.key == key), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The value of a text, and where its line comments end."""

    root: Node
    line_comments: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def parse(text: str) -> Document:
    """Read the text. Raises `UnreadableConfig` with the line."""
    tokens = list(_tokens(text))
    telling = [token for token in tokens if token.kind in ("scalar", "mark")]
    reader = _Reader([*telling, _Token("end", "", len(text))], text)
    root = reader.value(0)
    if reader.next.kind != "end":
        reader.fail()
    return Document(
        root=root, line_comments=frozenset(token.end for token in tokens if token.kind == "line")
    )


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            _fail(text, at)
        yield _Token(str(found.lastgroup), found[0], at)
        at = found.end()


def _fail(text: str, at: int) -> NoReturn:
    raise UnreadableConfig(f"line {text.count(chr(10), 0, at) + 1}")


class _Reader:
    def __init__(self, tokens: list[_Token], text: str) -> None:
        self._tokens = tokens
        self._at = 0
        self._text = text

    @property
    def next(self) -> _Token:
        return self._tokens[self._at]

    def fail(self) -> NoReturn:
        _fail(self._text, self.next.start)

    def value(self, depth: int) -> Node:
        if depth > DEEPEST:
            self.fail()
        if self.next.text == "{":
            return self._object(depth)
        if self.next.text == "[":
            return self._array(depth)
        value = self._scalar()
        token = self._take()
        return Node(value=value, start=token.start, end=token.end)

    def _object(self, depth: int) -> Node:
        start = self._take().start
        members: list[Member] = []
        while self.next.text != "}":
            if members and members[-1].comma is None:
                self.fail()
            members.append(self._member(depth))
        value = {member.key: member.value.value for member in members}
        return Node(value=value, start=start, end=self._take().end, members=tuple(members))

    def _member(self, depth: int) -> Member:
        key = self._scalar()
        token = self._take()
        if not isinstance(key, str) or self._mark(":") is None:
            self.fail()
        value = self.value(depth + 1)
        return Member(key=key, start=token.start, value=value, comma=self._mark(","))

    def _array(self, depth: int) -> Node:
        start = self._take().start
        values: list[object] = []
        goes_on = True
        while self.next.text != "]":
            if not goes_on:
                self.fail()
            values.append(self.value(depth + 1).value)
            goes_on = self._mark(",") is not None
        return Node(value=values, start=start, end=self._take().end)

    def _scalar(self) -> object:
        if self.next.kind != "scalar":
            self.fail()
        try:
            return json.loads(self.next.text)
        except ValueError:
            self.fail()

    def _mark(self, mark: str) -> int | None:
        """Where this mark stands, if it comes next."""
        return self._take().start if self.next.text == mark else None

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]
