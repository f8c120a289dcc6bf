"""Names of people: split into first and last name, without control characters."""

from __future__ import annotations

import re

# Control characters and marks of text direction, but not the joiners in names of Persian and Indian
# scripts.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TITLES = frozenset({"dr", "prof", "mr", "mrs", "ms", "herr", "frau", "sir", "dame", "ing", "dipl"})
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md", "mba", "esq", "cpa", "msc"})
_PARTICLES = frozenset(
    {"al", "bin", "ben", "da", "de", "del", "della", "den", "der", "di", "do", "dos", "du", "el"}
    | {"la", "le", "ter", "van", "vom", "von", "zu", "zum", "zur"}
)


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
    words = _without_titles(before.split())
    if not words:
        return "", ""
    begin = max(1, len(words) - 1)
    while begin > 1 and words[begin - 1].casefold() in _PARTICLES:
        begin -= 1
    return " ".join(words[:begin]), " ".join(words[begin:])


def _without_titles(words: list[str]) -> list[str]:
    while len(words) > 1 and _bare(words[0]) in _TITLES:
        words = words[1:]
    while len(words) > 1 and _bare(words[-1]) in _SUFFIXES:
        words = words[:-1]
    return words


def _bare(word: str) -> str:
    return word.replace(".", "").strip(",").casefold()
