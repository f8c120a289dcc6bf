"""The findings of the doctor, one line each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial


class Level(StrEnum):
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


ok = partial(Finding, Level.OK)
note = partial(Finding, Level.NOTE)
wrong = partial(Finding, Level.WRONG)
