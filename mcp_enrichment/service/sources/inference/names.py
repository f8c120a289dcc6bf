"""Names of people and companies, as they are in addresses and as they are compared."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# ruff: noqa: RUF001 - letters of other scripts are meant

ALPHABETS = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "GEORGIAN"})
"""Scripts with a regular transliteration. In others a letter has several readings, as in 田中, or
has no vowels: only the bearer knows the Latin form."""
DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})

_ASIDE = re.compile(r"\(.*?\)|\[.*?\]|\".*?\"|,.*")
_GAP = re.compile(r"[\s\-\u2010-\u2015.]+")
_NO_LETTER = re.compile(r"[^a-z]")
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, repr=False)
class Name:
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
    parts = _GAP.split(_ASIDE.sub(" ", unicodedata.normalize("NFKC", text)))
    letters = ["".join(c for c in word if unicodedata.category(c)[0] in "LM") for word in parts]
    words = [word for word in letters if _plainly(word)]
    named = [word for word in words if word.lower() not in TITLES] or words  # Ma may be a name
    return tuple([word for word in named if len(word) > 1 or not word.isascii()] or named)


def _bare(words: Words) -> Words:
    return tuple(word for word in words if word.lower() not in PARTICLES) or words


def _scripts(text: str) -> frozenset[str]:
    letters = (c for c in text if not c.isascii() and c.isalpha())
    found = {unicodedata.name(letter, "UNKNOWN").partition(" ")[0] for letter in letters}
    return frozenset(found) - {"LATIN", "MODIFIER"}


@lru_cache(maxsize=10_000)
def company_key(company: str) -> str:
    """A key that is equal for the spellings of one company's name; empty if it names none."""
    folded = unicodedata.normalize("NFKC", company).casefold().replace(".", "").replace("'", "")
    words = _NO_WORD.sub(" ", folded).split()
    if words[:1] == ["the"]:
        words = words[1:]
    while len(words) > 1 and words[-1] in LEGAL_FORMS:
        words = words[:-1]
    key = " ".join(words)[:100]
    return "" if key in NO_COMPANY else key


def _listed(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


TITLES = _listed(
    "dr prof professor mr mrs ms miss mx sir dame ing mag dipl hon rev fr herr frau mme mlle sr",
    "sra jr snr jnr ii iii iv phd md mba msc bsc ma ba cpa cfa pmp cissp llm llb jd rn pe esq dds",
)
"""Titles and suffixes of names."""
PARTICLES = _listed(
    "van von der den de del della di da do dos das du la le lo los las el al bin bint ibn ben ter",
    "ten te zu zum zur vom af av st",
)
"""Particles of family names, which some companies leave out."""
SHORTENED = _listed(
    "abigail albert alexander alexandra alfred andrew anthony barbara benjamin bernard bradley",
    "catherine charles christina christine christopher daniel david deborah donald douglas edward",
    "elizabeth eugene frances francis franklin frederick gabriel geoffrey gerald gregory harold",
    "jacob jacqueline james jeffrey jennifer jessica johannes john jonathan joseph joshua judith",
    "katherine kathleen kenneth kimberly lawrence leonard margaret matthew michael mitchell",
    "nathaniel nicholas patricia patrick peter philip phillip raymond rebecca richard robert",
    "ronald samantha samuel stephanie stephen steven susan suzanne theodore thomas timothy",
    "victoria vincent walter william zachary alejandro francisco guillermo jose maximilian",
    "sebastian",
)
"""Given names that are often shortened."""
LEGAL_FORMS = _listed(
    "inc incorporated corp corporation co company llc llp lp ltd limited plc pty gmbh mbh ag kg ug",
    "ohg se sa sarl sas srl spa snc bv nv vof oy oyj ab as asa aps kft zrt doo sro spzoo pte pvt",
    "kk eurl sl slu lda ltda eood ooo oao zao ооо оао зао пао αε ae aş",
)
"""Legal forms of companies, without dots."""
NO_COMPANY = frozenset(
    (
        *("freelance", "freelancer", "self employed", "selfemployed", "independent", "consultant"),
        *("independent consultant", "stealth", "stealth startup", "stealth mode", "retired"),
        *("student", "unemployed", "none", "private", "confidential", "various", "own company"),
        *("selbständig", "selbstständig", "freiberuflich", "freiberufler", "privat", "rentner"),
        *("indépendant", "indépendante", "auto entrepreneur", "retraité", "étudiant", "autónomo"),
        *("autonomo", "jubilado", "libero professionista", "zzp", "zelfstandig"),
    )
)
"""Values in place of a company. Others with the same value are not colleagues."""
