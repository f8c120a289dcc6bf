"""Converts the forms in which clients and models write an argument to the declared type.

A value that cannot be converted is returned as it is: the model then refuses it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_BETWEEN_IDS = re.compile(r"[\s,;\[\]()\"'\u200b\ufeff]+")
"""The separators of ids: none of them may be part of an id."""
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


def arguments_object(given: Any) -> Any:
    """The arguments of a call as an object. Null, an empty text and an empty list mean none; some
    clients send JSON text."""
    if isinstance(given, str):
        given = _from_json(given)
    return {} if is_nothing(given) or given == [] else given


def is_nothing(given: Any) -> bool:
    """Whether the value means a missing argument."""
    return given is None or (isinstance(given, str) and not given.strip())


def trimmed(given: Any) -> Any:
    """A text without white space around it."""
    return given.strip() if isinstance(given, str) else given


def word(given: Any) -> Any:
    """A word of an enumeration, in lower case."""
    return given.strip().lower() if isinstance(given, str) else given


def email_type(given: Any) -> Any:
    """An email type. The contract's responses write `work_email` for `work`."""
    read = word(given)
    return read.removesuffix("_email") if isinstance(read, str) else read


def number(given: Any) -> Any:
    """A number, which may be written as text."""
    if isinstance(given, str) and _NUMBER.fullmatch(text := given.strip()):
        return float(text)
    return given


def reference(given: Any) -> Any:
    """An `external_id`, which may be an integer."""
    return str(given) if type(given) is int else given


def texts(given: Any) -> Any:
    """A list of texts, which may be one text with a separator between them."""
    if isinstance(given, str):
        read = _from_json(given)
        return read if isinstance(read, list) else list(filter(None, _BETWEEN_IDS.split(given)))
    return given


def references(given: Any) -> Any:
    """A list of `external_id`, each of which may be an integer or blank."""
    if isinstance(given, str):
        given = _from_json(given)
    if not isinstance(given, list):
        return given
    return [None if is_nothing(one) else reference(one) for one in given]


def ids(given: Any) -> Any:
    """A list of ids from nested lists, text with any separators, or enrichments."""
    return list(_each_id(given))


def one_id(given: Any) -> Any:
    """One id, which may be a list of one."""
    each = ids(given)
    return each[0] if len(each) == 1 else given


def _each_id(given: Any) -> Iterator[Any]:
    left = [given]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left.extend(reversed(one))
        elif isinstance(one, dict) and "id" in one:
            left.append(one["id"])
        elif isinstance(one, str):
            yield from filter(None, _BETWEEN_IDS.split(one))
        elif one is not None:
            yield one


def _from_json(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        return text
