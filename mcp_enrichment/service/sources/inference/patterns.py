"""The forms of a person's address before the @."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATTERNS: Mapping[str, Callable[[str, str], str]] = {
    "first.last": lambda first, last: f"{first}.{last}",
    "firstlast": lambda first, last: first + last,
    "first_last": lambda first, last: f"{first}_{last}",
    "first-last": lambda first, last: f"{first}-{last}",
    "f.last": lambda first, last: f"{first[0]}.{last}",
    "flast": lambda first, last: first[0] + last,
    "f_last": lambda first, last: f"{first[0]}_{last}",
    "f-last": lambda first, last: f"{first[0]}-{last}",
    "first.l": lambda first, last: f"{first}.{last[0]}",
    "firstl": lambda first, last: first + last[0],
    "first": lambda first, _last: first,
    "last": lambda _first, last: last,
    "last.first": lambda first, last: f"{last}.{first}",
    "lastfirst": lambda first, last: last + first,
    "last_first": lambda first, last: f"{last}_{first}",
    "last-first": lambda first, last: f"{last}-{first}",
    "last.f": lambda first, last: f"{last}.{first[0]}",
    "lastf": lambda first, last: last + first[0],
    "fl": lambda first, last: first[0] + last[0],
}
