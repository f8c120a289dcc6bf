"""The slug of a LinkedIn profile: the path segment that identifies the person.

Custom slugs have 3 to 100 characters and are case-insensitive (LinkedIn's help). Generated ones
contain letters of any script, emoji, typographic punctuation, invisible and private-use characters.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize
from urllib.parse import unquote

from mcp_enrichment.contract.linkedin_url_errors import ProfileURLError, URLProblem, require

_ZWJ = "\u200d"
"""The zero-width joiner, which combines emoji."""
_LENGTHS = range(3, 101)
"""Characters, decoded."""
LINKEDIN = "linkedin.com"
"""No slug contains this: it would be two URLs in one."""
_PUNCTUATION = frozenset("-_.'~")
_TYPOGRAPHIC = frozenset({"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk"})
_SLASHES = frozenset("\u2044\u2215")
_ENDS = frozenset(".'\u2018\u2019\u2026\u3001\u3002")
"""Punctuation after a URL in prose: no slug ends with it."""
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional controls, which make a slug look like another one."""
_NAMING = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "So", "Co"})
_MARKS = frozenset({"Mn", "Mc", "Me"})
# By range, since skin tones are modifiers (Sk) and an older Python has new emoji unassigned (Cn).
_PICTOGRAPHS = range(0x1F000, 0x1FB00)
# Anywhere else the joiner is invisible, and is allowed only if it is percent-encoded.
_JOINED_EMOJI = re.compile(
    rf"(?<=[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]){_ZWJ}(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)


def strip_emoji_joiners(text: str) -> str:
    """The text without joiners between emoji."""
    return _JOINED_EMOJI.sub("", text)


def decode_segment(segment: str) -> str:
    """Percent-decode a path segment once, as UTF-8 (RFC 3986, section 2.5)."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise ProfileURLError(URLProblem.SLUG_CHARS) from None


def normalize_slug(name: str) -> str:
    """The canonical form of a decoded slug: NFC and lower case."""
    slug = _folded(name)
    require(len(slug) in _LENGTHS, URLProblem.SLUG_LENGTH)
    require(_could_be_given(slug) and not _is_cut_badly(slug), URLProblem.SLUG_CHARS)
    return slug


def _is_cut_badly(slug: str) -> bool:
    """Whether there is something else before or after the slug."""
    unopened = slug[-1] == "\u201d" and "\u201c" not in slug
    is_host = LINKEDIN in slug or slug.startswith("www.")
    return slug[-1] in _ENDS or unopened or is_host or slug == "pub"


def _folded(name: str) -> str:
    """Apply NFC and lower case until neither changes the text."""
    folded = normalize("NFC", normalize("NFC", name).lower())
    return folded if folded == name else _folded(folded)


def _could_be_given(slug: str) -> bool:
    if slug.isascii() and slug.replace("-", "").isalnum():
        return True  # the usual case, of a million in one import
    return any(map(_names, slug)) and all(_names(c) or _accompanies(c) for c in slug)


def _names(char: str) -> bool:
    return category(char) in _NAMING or ord(char) in _PICTOGRAPHS


def _accompanies(char: str) -> bool:
    if char.isascii():
        return char in _PUNCTUATION
    kind = category(char)
    if kind == "Cf":
        return char not in _BIDI_CONTROLS
    return kind in _MARKS or (kind in _TYPOGRAPHIC and not _looks_like_a_delimiter(char, kind))


def _looks_like_a_delimiter(char: str, kind: str) -> bool:
    """A fullwidth slash does. Sk is exempt: a lone accent decomposes to a space and a mark."""
    plain = normalize("NFKC", char)
    return char in _SLASHES or (
        kind != "Sk" and any(c.isascii() and c not in _PUNCTUATION for c in plain)
    )
