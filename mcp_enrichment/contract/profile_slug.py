"""The name of a LinkedIn profile: the one path segment that tells people apart.

Custom names are 3 to 100 characters and case-insensitive (LinkedIn's help). Generated ones carry
letters of every script, emoji and even private-use characters.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize
from urllib.parse import unquote

from mcp_enrichment.contract.profile_refusal import ProfileURLRefused, RefusalKind, require

ZWJ = "\u200d"
"""The zero-width joiner, which makes one emoji of several."""

_LENGTHS = range(3, 101)
"""Characters, decoded."""
_PUNCTUATION = frozenset("-_.'")
_NAMING = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "So", "Co"})
_MARKS = frozenset({"Mn", "Mc", "Me"})
# By range, since skin tones are modifiers (Sk) and an older Python has new emoji unassigned (Cn).
_PICTOGRAPHS = range(0x1F000, 0x1FB00)
# Anywhere else the joiner is invisible, and could make two names that look the same.
_JOINED_EMOJI = re.compile(
    rf"(?<=[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]){ZWJ}(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)


def decoded(segment: str) -> str:
    """The characters of a raw path segment, percent-decoded once as UTF-8 (RFC 3986, 2.5)."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise ProfileURLRefused(RefusalKind.SLUG_CHARS) from None


def checked(name: str) -> str:
    """The one spelling of a decoded name: NFC and lower case."""
    slug = _folded(name)
    require(len(slug) in _LENGTHS, RefusalKind.SLUG_LENGTH)
    require(_could_be_given(slug), RefusalKind.SLUG_CHARS)
    return slug


def _folded(name: str) -> str:
    """Both foldings to a fixed point, since either can give the other something to do."""
    folded = normalize("NFC", normalize("NFC", name).lower())
    return folded if folded == name else _folded(folded)


def _could_be_given(slug: str) -> bool:
    if slug.isascii() and slug.replace("-", "").isalnum():
        return True  # as most are, of a million in one import
    plain = _JOINED_EMOJI.sub("", slug)
    return any(map(_names, plain)) and all(_names(c) or _accompanies(c) for c in plain)


def _names(char: str) -> bool:
    return category(char) in _NAMING or ord(char) in _PICTOGRAPHS


def _accompanies(char: str) -> bool:
    return char in _PUNCTUATION or category(char) in _MARKS
