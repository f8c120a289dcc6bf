"""Transliterates a name to the letters of an address, in each spelling that companies use."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.inference.word_lists import PARTICLES, SHORTENED, TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping

ALPHABETS = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "GEORGIAN"})
"""Scripts with a regular transliteration. In others a letter has several readings, as in 田中, or
has no vowels: only the bearer knows the Latin form."""
DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})

_ASIDE = re.compile(r"\(.*?\)|\[.*?\]|\".*?\"|,.*")
_GAP = re.compile(r"[\s\-\u2010-\u2015.]+")
_NO_LETTER = re.compile(r"[^a-z]")


@dataclass(frozen=True, slots=True, repr=False)
class Name:
    """A name as in an export."""

    first: str
    last: str


@dataclass(frozen=True, slots=True, repr=False)
class Spellings:
    """A name in the letters a to z."""

    forms: Mapping[tuple[str, str], int]
    """Each given and family name, with a bit set of the spellings that produce it."""
    scripts: frozenset[str]
    """The scripts of the name, without Latin."""
    is_shortened: bool
    """Whether the given name is often shortened."""


def _plainly(text: str) -> str:
    if text.isascii() and text.isalpha():
        return text.lower()
    from anyascii import anyascii  # noqa: PLC0415 - only inference needs it

    return _NO_LETTER.sub("", anyascii(text).lower())


def _with_digraphs(text: str) -> str:
    return _plainly(text.lower().translate(DIGRAPHS))


Words = tuple[str, ...]
FOLDS = (_plainly, _with_digraphs)
ALL_SPELLINGS = (1 << 2 * 3 * 5) - 1


def spell(name: Name) -> Spellings | None:
    """Transliterate a name; None if a part is missing, an initial, or has no regular Latin form."""
    first, last = _words(name.first), _words(name.last)
    scripts = _scripts(name.first + name.last)
    if not first or not last or not scripts <= ALPHABETS:
        return None
    forms = _forms(first, last)
    if any(len(part) < 2 for form in forms for part in form):  # noqa: PLR2004 - an initial
        return None
    return Spellings(forms, scripts, _plainly(first[0]) in SHORTENED)


def _forms(first: Words, last: Words) -> Mapping[tuple[str, str], int]:
    if len(first) == len(last) == 1 and first[0].isascii() and last[0].isascii():
        return {(_plainly(first[0]), _plainly(last[0])): ALL_SPELLINGS}
    forms: dict[tuple[str, str], int] = defaultdict(int)
    spelling = 1
    for fold in FOLDS:
        given, family, bare = (tuple(map(fold, words)) for words in (first, last, _bare(last)))
        # Of "Jean-Paul de la Cruz Vega": jean, jeanpaul and jean-paul; delacruzvega,
        # de-la-cruz-vega, cruzvega, cruz and vega.
        givens = (given[0], "".join(given), "-".join(given))
        families = ("".join(family), "-".join(family), "".join(bare), bare[0], bare[-1])
        for form in product(givens, families):
            forms[form] |= spelling
            spelling <<= 1
    return dict(forms)


def _words(text: str) -> Words:
    """The words of a name without titles, initials, and text in brackets or after a comma."""
    if text.isascii() and text.isalpha():
        return (text,)
    said = _GAP.split(_ASIDE.sub(" ", unicodedata.normalize("NFKC", text)))
    letters = ["".join(c for c in word if unicodedata.category(c)[0] in "LM") for word in said]
    words = [word for word in letters if _plainly(word)]
    named = [word for word in words if word.lower() not in TITLES] or words  # Ma may be a name
    return tuple([word for word in named if len(word) > 1 or not word.isascii()] or named)


def _bare(words: Words) -> Words:
    return tuple(word for word in words if word.lower() not in PARTICLES) or words


def _scripts(text: str) -> frozenset[str]:
    letters = (c for c in text if not c.isascii() and c.isalpha())
    found = {unicodedata.name(letter, "UNKNOWN").partition(" ")[0] for letter in letters}
    return frozenset(found) - {"LATIN", "MODIFIER"}
