"""Columns and labels that name somebody else than the row, or the card, is about."""

from __future__ import annotations

import re
from functools import lru_cache

# Stems: `referr` stands for referrer, referral and referred by.
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
# Parts of other words: `cto` of director.
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


@lru_cache(maxsize=1024)  # most rows of a file have the same labels
def names_other_person(label: str) -> bool:
    """Whether a label such as `Assistant` or `Manager's LinkedIn` names another person."""
    return _PEOPLE.search(label) is not None


def names_other_entity(title: str) -> bool:
    """Whether a column's title such as `Company LinkedIn` names another person, or no person."""
    return _OTHERS.search(title) is not None
