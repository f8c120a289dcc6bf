"""What an examination finds: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a thing stands."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, and there is something to know."""
    WRONG = "wrong"
    """It keeps something from working; the finding says what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `says` never holds the key, nor text from outside."""

    state: Level
    what: str
    says: str


def ok(what: str, says: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, what, says)


def note(what: str, says: str) -> Finding:
    """It is worth knowing."""
    return Finding(Level.NOTE, what, says)


def wrong(what: str, says: str) -> Finding:
    """It needs something to be done."""
    return Finding(Level.WRONG, what, says)
