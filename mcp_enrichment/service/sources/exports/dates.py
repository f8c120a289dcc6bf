"""Parses dates and times in the formats of exports, and as Excel rewrites them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

CENTURY = "20"
"""The century of a two-digit year: LinkedIn opened in 2003."""

# Not strptime: its month names depend on the locale of the machine.
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_GERMAN = {"mär": 3, "mrz": 3, "mai": 5, "okt": 10, "dez": 12}
_MONTHS = {name: number for number, name in enumerate(_ENGLISH, start=1)} | _GERMAN
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?P<day>\d{1,2})\.?[ -](?P<month>[^\W\d_]{3,9})\.?[ -](?P<year>\d{4}|\d{2})",
        r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}|\d{2})(?:[, ].*)?",
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4}|\d{2})(?:[, ].*)?",
        r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
    )
)


def day_of(text: str) -> date | None:
    """Parse `05 Mar 2024`, `5-Mar-24`, `3/5/24, 4:05 PM`, `05.03.2024` or `2024-03-05`, else None.

    With slashes the month is first, as in LinkedIn's files. Months are English or German.
    """
    for form in _FORMS:
        if match := form.fullmatch(text):
            return _date(**match.groupdict())
    return None


def moment_of(text: str) -> float | None:
    """Seconds since the epoch at `2024-03-05T16:05:00Z`, `20240305T160500Z` or a day, else None.

    The default time zone is UTC. A time before the epoch is an error, and None.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        day = day_of(text)
        if day is None:
            return None
        moment = datetime.combine(day, time())
    at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return at if at > 0 else None


def _date(day: str, month: str, year: str) -> date | None:
    number = int(month) if month.isdecimal() else _MONTHS.get(month[:3].casefold(), 0)
    try:
        return date(int((CENTURY + year)[-4:]), number, int(day))
    except ValueError:
        return None
