"""Cells that name a LinkedIn profile, and labels that name somebody other than the row's person."""

from __future__ import annotations

import re
from functools import lru_cache

_PREFIX = re.compile(r"\A(?:x-apple:|@|/?in/)+", re.IGNORECASE)
_HANDLE = re.compile(r"[^\s/@:;,|<>\"?#()\[\]{}\\.]{3,100}")
_NOBODY = frozenset(
    {
        *("none", "null", "nan", "nil", "yes", "no", "true", "false", "unknown", "undefined"),
        *("n-a", "not-found", "not-available", "missing", "error", "tbd", "todo", "test"),
        *("private", "public", "linkedin", "profile", "username", "handle", "link", "url"),
        *("website", "company", "other", "home", "work", "pub", "www", "http", "https", "---"),
    }
)
"""Placeholders. As account names they would merge many people into one profile."""
# Stems: `referr` matches referrer, referral and referred by.
_ROLES = (
    *("manager", "supervisor", "report(?:s|ing)? to", "owner", "assistant", "assistent", "referr"),
    *("recommend", "introduc", "connector", "mentor", "sponsor", "champion", "recruiter"),
    *("interviewer", "hiring", "sales ?rep", "seller", "account executive", "advis[eo]r", "spouse"),
    *("partner", "husband", "sibling", "relative", "founder", "decision ?maker", "employer"),
    *("colleague", "creator", "created by", "modified by", "added by", "assigned", "emergency"),
    *("secretary", "delegate", "vorgesetzte", "assistenz", "inhaber", "besitzer", "empfohlen"),
    *("sekretari?[aä]", "responsable", "propri[eé]taire", "parrain", "gerente", "propietario"),
    *("asistente", "supervisor"),
)
# Matched as whole words: `cto` is part of director.
_SHORT_ROLES = (
    *("boss", "buddy", "rep", "sdr", "bdr", "agent", "coach", "wife", "father", "mother", "parent"),
    *("child", "brother", "sister", "friend", "ceo", "cto", "cfo", "coo", "chef", "jefe"),
)
_ORGANISATIONS = (
    *("company", "account", "organi[sz]ation", "business page", "school", "university", "firma"),
    *("unternehmen", "entreprise", "empresa", "azienda", "bedrijf"),
)
_WHOLE = rf"(?<![^\W_])(?:{'|'.join(_SHORT_ROLES)})(?:'?s)?(?![^\W_])"
_PEOPLE = re.compile("|".join((*_ROLES, _WHOLE)), re.IGNORECASE)
_OTHERS = re.compile("|".join((*_ROLES, *_ORGANISATIONS, _WHOLE)), re.IGNORECASE)


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
