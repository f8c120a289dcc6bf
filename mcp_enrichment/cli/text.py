"""How values are written for people."""

from __future__ import annotations

import re

_TO_AN_ASSISTANT = re.compile(r"(?:Tell|Ask) the user to (\w)")


def when(at: float | None) -> str:
    """A time as people read it, in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def to_the_user(advice: str) -> str:
    """What an error says to do, without the assistant between it and whoever is at the terminal."""
    said = _TO_AN_ASSISTANT.sub(lambda found: found[1].upper(), advice)
    return said if said == advice else said.replace(" or to ", " or ")
