"""Finds the ids of requests in text that is not valid JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

from pydantic_core import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.types import RequestId

HEAD = 64 * 1024
"""Bytes at the start of a message in which its id is searched."""
MAX_MESSAGES_ON_A_LINE = 100
"""Messages on one line whose ids are read, at most."""
TRIES = 3
"""How often an invalid end is cut off."""
_PLACE = re.compile(r"at line (\d+) column (\d+)$")
_LAST = re.compile(rb'"id"\s*:\s*(-?\d{1,18}|"(?:[^"\\]|\\.){0,200}")\s*\}\s*\Z')
"""An id as the last member, where the TypeScript SDK puts it."""
_OF_A_NUMBER = b"0123456789+-.eE"
_TRAILING = "trailing characters"


def is_id(value: Any) -> TypeGuard[RequestId]:
    """Whether it is a valid id of MCP: a text or an integer."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def ids_in(data: bytes, error: ValueError) -> list[RequestId]:
    """The ids in a text that the parser has refused with this error: of one invalid message, or of
    several messages on one line."""
    found = list(_of_whole_messages(data, error))
    return found or id_at_the_ends(data[: _place(data, error)], data)


def id_at_the_ends(head: bytes, whole: bytes) -> list[RequestId]:
    """The id near the start of a message, or else at its end."""
    for known in (_in_beginning(head[:HEAD]), _at_end(whole[-HEAD:])):
        if is_id(known):
            return [known]
    return []


def _of_whole_messages(data: bytes, error: ValueError) -> Iterator[RequestId]:
    for _ in range(MAX_MESSAGES_ON_A_LINE):
        if not str(error).startswith(_TRAILING):
            return
        place = _place(data, error)
        yield from _id_of(from_json(data[:place]))
        data = data[place:]
        try:
            value = from_json(data)
        except ValueError as next_error:
            error = next_error
        else:
            yield from _id_of(value)
            return


def _id_of(value: Any) -> Iterator[RequestId]:
    if isinstance(value, dict) and is_id(known := value.get("id")):
        yield known


def _in_beginning(head: bytes) -> Any:
    for _ in range(TRIES):
        try:
            # The number at the cut may have had more digits.
            value = from_json(head.rstrip(_OF_A_NUMBER), allow_partial=True)
        except ValueError as error:  # too deep or invalid: read the part before it
            head = head[: _place(head, error)]
            head = head[: max(head.rfind(b","), 0)]
        else:
            return value.get("id") if isinstance(value, dict) else None
    return None


def _at_end(tail: bytes) -> Any:
    found = _LAST.search(tail)
    try:
        return from_json(found[1]) if found else None
    except ValueError:
        return None


def _place(data: bytes, error: ValueError) -> int:
    """The offset at which the parser has stopped, in bytes."""
    found = _PLACE.search(str(error))
    if not found:
        return 0
    line, column = int(found[1]), int(found[2])
    before = data.split(b"\n", line - 1)[: line - 1]
    return sum(len(one) + 1 for one in before) + max(column - 1, 0)
