"""The findings of the doctor, one line each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The level of a finding."""

    OK = "ok"
    NOTE = "note"
    """For information."""
    WRONG = "wrong"
    """Something does not work. The finding says what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `says` never contains the key, nor text from outside."""

    state: Level
    what: str
    says: str


def ok(what: str, says: str) -> Finding:
    """A finding without a problem."""
    return Finding(Level.OK, what, says)


def note(what: str, says: str) -> Finding:
    """A finding for information."""
    return Finding(Level.NOTE, what, says)


def wrong(what: str, says: str) -> Finding:
    """A finding that requires an action."""
    return Finding(Level.WRONG, what, says)
