"""Cells of an export: dates, names, profiles, and labels that name somebody else."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

CENTURY = "20"
"""The century of a two-digit year: LinkedIn opened in 2003."""

# Not strptime: its month names depend on the locale of the machine.
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_GERMAN = {"mär": 3, "mrz": 3, "mai": 5, "okt": 10, "dez": 12}
_MONTHS = {name: number for number, name in enumerate(_ENGLISH, start=1)} | _GERMAN
_FORMS = (
    re.compile(r"(?P<day>\d{1,2})\.?[ -](?P<month>[^\W\d_]{3,9})\.?[ -](?P<year>\d{4}|\d{2})"),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}|\d{2})(?:[, ].*)?"),
    re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4}|\d{2})(?:[, ].*)?"),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
)
# Control characters and marks of text direction, but not the joiners in names of Persian and Indian
# scripts.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words("dr prof mr mrs ms herr frau sir dame ing dipl")
_SUFFIXES = _words("jr sr ii iii iv phd md mba esq cpa msc")
_PARTICLES = _words(
    "al bin ben da de del della den der di do dos du el la le ter van vom von zu zum zur"
)

_PREFIX = re.compile(r"\A(?:x-apple:|@|/?in/)+", re.IGNORECASE)
_HANDLE = re.compile(r"[^\s/@:;,|<>\"?#()\[\]{}\\.]{3,100}")
_NOBODY = _words(
    "none null nan nil yes no true false unknown undefined n-a not-found not-available missing "
    "error tbd todo test private public linkedin profile username handle link url website company "
    "other home work pub www http https ---"
)
"""Placeholders. As account names they would merge many people into one profile."""
# Stems: `referr` matches referrer, referral and referred by.
_ROLES = (
    r"manager|supervisor|report(?:s|ing)? to|owner|assistant|assistent|referr|recommend|introduc|"
    r"connector|mentor|sponsor|champion|recruiter|interviewer|hiring|sales ?rep|seller|"
    r"account executive|advis[eo]r|spouse|partner|husband|sibling|relative|founder|"
    r"decision ?maker|employer|colleague|creator|created by|modified by|added by|assigned|"
    r"emergency|secretary|delegate|vorgesetzte|assistenz|inhaber|besitzer|empfohlen|"
    r"sekretari?[aä]|responsable|propri[eé]taire|parrain|gerente|propietario|asistente"
)
# Matched as whole words: `cto` is part of director.
_SHORT_ROLES = (
    r"(?<![^\W_])(?:boss|buddy|rep|sdr|bdr|agent|coach|wife|father|mother|parent|child|brother|"
    r"sister|friend|ceo|cto|cfo|coo|chef|jefe)(?:'?s)?(?![^\W_])"
)
_ORGANISATIONS = (
    r"company|account|organi[sz]ation|business page|school|university|firma|unternehmen|"
    r"entreprise|empresa|azienda|bedrijf"
)
_PEOPLE = re.compile(f"{_ROLES}|{_SHORT_ROLES}", re.IGNORECASE)
_OTHERS = re.compile(f"{_ROLES}|{_ORGANISATIONS}|{_SHORT_ROLES}", re.IGNORECASE)


def day_of(text: str) -> date | None:
    """Parse `05 Mar 2024`, `5-Mar-24`, `3/5/24, 4:05 PM`, `05.03.2024` or `2024-03-05`, else None.

    With slashes the month is first, as in LinkedIn's files. Months are English or German.
    """
    for found in filter(None, (form.fullmatch(text) for form in _FORMS)):
        month = found["month"]
        number = int(month) if month.isdecimal() else _MONTHS.get(month[:3].casefold(), 0)
        try:
            return date(int((CENTURY + found["year"])[-4:]), number, int(found["day"]))
        except ValueError:
            return None
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
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return at if at > 0 else None


def clean_text(cell: str) -> str:
    """Trim the text, and remove control characters and marks of text direction."""
    if cell.isprintable() and "  " not in cell:
        return cell.strip()
    return _UNPRINTABLE.sub("", " ".join(cell.split()))


def split_name(name: str) -> tuple[str, str]:
    """The first and last name of `Dr. Ada van der Okafor, PhD` or `Okafor, Ada`.

    A single word is a first name. Particles belong to the last name.
    """
    before, _, after = name.partition(",")
    if after.strip() and not all(_bare(word) in _SUFFIXES for word in after.split()):
        return after.strip(), before.strip()
    words = before.split()
    while len(words) > 1 and _bare(words[0]) in _TITLES:
        del words[0]
    while len(words) > 1 and _bare(words[-1]) in _SUFFIXES:
        del words[-1]
    begin = max(1, len(words) - 1)
    while begin > 1 and words[begin - 1].casefold() in _PARTICLES:
        begin -= 1
    return " ".join(words[:begin]), " ".join(words[begin:])


def _bare(word: str) -> str:
    return word.replace(".", "").strip(",").casefold()


def profile_url_for(text: str) -> str:
    """The profile URL for `ada-okafor`, `@ada-okafor` or `x-apple:ada-okafor`; empty for a
    placeholder; any other text unchanged.
    """
    name = _PREFIX.sub("", text.strip())
    if name.casefold() in _NOBODY:
        return ""
    return f"https://www.linkedin.com/in/{name}" if _HANDLE.fullmatch(name) else text


@lru_cache(maxsize=1024)  # most rows of a file have the same labels
def names_other_person(label: str) -> bool:
    """Whether a label such as `Assistant` or `Manager's LinkedIn` names another person."""
    return _PEOPLE.search(label) is not None


def names_other_entity(title: str) -> bool:
    """Whether a column's title such as `Company LinkedIn` names another person, or no person."""
    return _OTHERS.search(title) is not None
