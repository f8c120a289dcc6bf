"""Keys of companies, by which rows of one company are matched."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from mcp_enrichment.service.sources.inference.word_lists import LEGAL_FORMS, NO_COMPANY

_NO_WORD = re.compile(r"[\W_]+")


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
