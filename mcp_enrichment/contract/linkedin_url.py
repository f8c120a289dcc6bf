"""Converts a pasted text to the canonical URL of a LinkedIn profile, or explains why it is none.

Nothing is fetched: a URL that only LinkedIn can resolve is refused.
"""

from __future__ import annotations

import re
import string
from unicodedata import category, normalize
from urllib.parse import quote, unquote

from mcp_enrichment.contract.explanation import NOTHING_SENT, ExplainedEnum, Explanation
from mcp_enrichment.contract.http import DEFAULT_PORTS

_PASTE = "paste one of the form https://www.linkedin.com/in/<username>."
_COPY = "open the person's public profile and copy the address, which contains /in/, from there."


class URLProblem(ExplainedEnum):
    """The problem of the text, with its sentence: what is wrong, and what to paste instead."""

    EMPTY = "empty", f"There is no URL; {_PASTE}"
    TOO_LONG = "too-long", f"That is too long to be one profile URL; {_PASTE}"
    BAD_CHARS = (
        "bad-chars",
        "The URL holds a space, an invisible character, a backslash or another character that no "
        f"URL may hold; {_PASTE}",
    )
    SCHEME = "scheme", f"The URL is neither http nor https; {_PASTE}"
    USERINFO = "userinfo", f"The URL has a user name or an e-mail address in it; {_PASTE}"
    HOST = "host", f"The URL is not on linkedin.com; {_PASTE}"
    PORT = "port", f"The URL asks for an unusual port; {_PASTE}"
    NOT_A_PROFILE = "not-a-profile", f"The URL is on LinkedIn but names no profile; {_COPY}"
    NOT_A_PERSON = "not-a-person", f"The URL is on LinkedIn but is not that of a person; {_COPY}"
    SALES_NAVIGATOR = "sales-navigator", f"The URL is one of Sales Navigator; {_COPY}"
    RECRUITER = "recruiter", f"The URL is one of LinkedIn Recruiter; {_COPY}"
    OPAQUE_MEMBER_ID = (
        "opaque-member-id",
        f"The URL holds an internal member id instead of a name; {_COPY}",
    )
    BAD_PUB = "bad-pub", f"The URL is not a complete /pub/ address of one person; {_COPY}"
    EMPTY_SLUG = "empty-slug", f"The URL ends before the name of the profile; {_PASTE}"
    SLUG_LENGTH = "slug-length", f"The name after /in/ does not have 3 to 100 characters; {_COPY}"
    SLUG_CHARS = "slug-chars", f"The name after /in/ is not one that LinkedIn gives; {_COPY}"


class ProfileURLError(ValueError):
    """The text is not the URL of one person's profile."""

    def __init__(self, kind: URLProblem) -> None:
        super().__init__(kind)
        self.kind = kind

    @property
    def advice(self) -> str:
        """The problem and what to paste instead."""
        return self.kind.text

    @property
    def explanation(self) -> Explanation:
        """The same as an explanation."""
        return Explanation(
            happened=self.advice,
            money=NOTHING_SENT,
            for_person="Correct it and try again.",
            for_assistant="Correct it, or ask the user for the profile's URL.",
        )

    def __str__(self) -> str:
        return self.advice


_PROFILES = "https://www.linkedin.com/in/"
_MAX_TEXT = 2048
"""Characters; 100 characters of four bytes each, percent-encoded, still fit."""

# White space and invisible characters that chats, spreadsheets and right-to-left pages add.
_EDGES = string.whitespace + "\u00a0\u200b\u200e\u200f\u2060\u3000\ufeff"
_WRAPPERS = {"<": ">", '"': '"', "'": "'", "\u201c": "\u201d"}
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
_ADDRESS = re.compile(
    r"""(?:(?P<scheme>[a-z][a-z0-9+-]*):)?
        (?://)?(?P<authority>[^/?#<>"{}|\\^`]*)
        (?P<path>(?:/[^?#<>"{}|\\^`]*)?)
        (?:[?#].*)?""",
    re.VERBOSE | re.ASCII | re.IGNORECASE | re.DOTALL,
)
# linkedin.cn was LinkedIn's site in China until 2023, with the same slugs.
_HOST = re.compile(
    r"(?:(?:www|m|mobile|touch|[a-z]{2})\.)?linkedin\.(?:com|cn)\.?", re.ASCII | re.IGNORECASE
)
# Some programs put the start of a URL before a whole one.
_INNER_ORIGIN = re.compile(rf"(?:https?:/{{0,2}})?{_HOST.pattern}(?=/)", re.ASCII | re.IGNORECASE)
_INNER_PATH = re.compile(r"(?:in|pub)/", re.ASCII | re.IGNORECASE)
# /m/ and /mwlite/ are the mobile site; /comm/ is in the links of LinkedIn's e-mails.
_ROOT = re.compile(r"\A/(?:(?:m|mwlite|comm|incareer)/)?", re.ASCII | re.IGNORECASE)
_LEGACY = re.compile(
    r"(?!dir/)([^/]+)/([0-9a-f]{1,3})/([0-9a-f]{1,3})/([0-9a-f]{1,3})/?", re.ASCII | re.IGNORECASE
)
_MEMBER_IDS = ("ACoAA", "ACwAA")
_DOT_SEGMENTS = frozenset({".", ".."})
# The usual case, of a million in one import: nothing to normalize, decode or refuse.
_PLAIN = re.compile(
    r"https?://(?:www\.)?linkedin\.com/in/((?=-*[a-z0-9])(?!pub/?\Z)[a-z0-9-]{3,100})/?", re.ASCII
)
_IMPERSONAL = (
    *("article", "company", "company-beta", "edu", "events", "feed", "groups", "hashtag", "job"),
    *("jobs", "learning", "newsletters", "organization", "posts", "products", "pulse", "school"),
    *("services", "showcase", "university"),
)
_ELSEWHERE = {
    "sales": URLProblem.SALES_NAVIGATOR,
    "recruiter": URLProblem.RECRUITER,
    "talent": URLProblem.RECRUITER,
    **dict.fromkeys(_IMPERSONAL, URLProblem.NOT_A_PERSON),
}
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


def canonical_profile_url(text: str) -> str:
    """The canonical URL of the profile: https://www.linkedin.com/in/<slug>.

    The slug is NFC, lower case and percent-encoded UTF-8 (RFC 3986, section 2.5), so that all
    spellings give the same URL. Raises `ProfileURLError` for any other text.
    """
    if plain := _PLAIN.fullmatch(text):
        return _PROFILES + plain[1]
    return _PROFILES + quote(_slug(_path(_bare(text))), safe="")


def _bare(text: str) -> str:
    """Remove delimiters around a URL (RFC 3986, appendix C)."""
    bare = text.strip(_EDGES)
    if _WRAPPERS.get(bare[:1]) == bare[-1:]:
        # Slack writes <URL|text>.
        bare = (bare[1:-1].partition("|")[0] if bare[0] == "<" else bare[1:-1]).strip(_EDGES)
    return bare


def _path(address: str) -> str:
    """The part after the host. Checks that all before it is LinkedIn's."""
    _require(address, URLProblem.EMPTY)
    _require(len(address) <= _MAX_TEXT, URLProblem.TOO_LONG)
    parts = _ADDRESS.fullmatch(address)
    if parts is None or _hides_something(address):
        raise ProfileURLError(URLProblem.BAD_CHARS)
    _check_origin((parts["scheme"] or "https").lower(), parts["authority"])
    return parts["path"]


def _hides_something(address: str) -> bool:
    if address.isascii():  # the usual case, of a million in one import
        return " " in address or not address.isprintable()
    return any(category(c) in _INVISIBLE for c in _JOINED_EMOJI.sub("", address))


def _check_origin(scheme: str, authority: str) -> None:
    """Only LinkedIn's hosts in ASCII: an internationalized look-alike is another host."""
    userinfo, _, place = authority.rpartition("@")
    host, _, port = place.partition(":")
    _require(scheme in DEFAULT_PORTS, URLProblem.SCHEME)
    _require(not userinfo, URLProblem.USERINFO)
    _require(_HOST.fullmatch(host), URLProblem.HOST)
    _require(port in ("", str(DEFAULT_PORTS[scheme])), URLProblem.PORT)


def _slug(path: str) -> str:
    head, _, rest = _ROOT.sub("", path).partition("/")
    match head.lower():
        case "in":
            return _slug_of_in(rest)
        case "pub":
            return _slug_of_pub(rest)
        case page:
            raise ProfileURLError(_ELSEWHERE.get(page, URLProblem.NOT_A_PROFILE))


def _slug_of_in(rest: str) -> str:
    """`<slug>`, and pages below it such as a locale or `details/experience`."""
    if inner := _inner(rest):
        return _slug(inner)
    segment, *subpages = rest.split("/")
    _require(segment, URLProblem.EMPTY_SLUG)
    name = decode_segment(segment)
    _require(not name.startswith(_MEMBER_IDS), URLProblem.OPAQUE_MEMBER_ID)
    slug = normalize_slug(name)
    _check_subpages([unquote(page).lower() for page in subpages])
    return slug


def _inner(rest: str) -> str | None:
    """The path of a second URL after /in/: no slug is a host, `in` or `pub`."""
    if origin := _INNER_ORIGIN.match(rest):
        return rest[origin.end() :]
    return f"/{rest}" if _INNER_PATH.match(f"{rest}/") else None


def _check_subpages(pages: list[str]) -> None:
    """Refuse paths that lead to another person: /in/one/../two does in a browser (RFC 3986, section
    5.2.4), and so do two URLs in one.
    """
    two = "in" in pages or any(LINKEDIN in page for page in pages)
    _require(not two and _DOT_SEGMENTS.isdisjoint(pages), URLProblem.NOT_A_PROFILE)


def _slug_of_pub(rest: str) -> str:
    """`<name>/A/B/C`, the form before 2015. Its slug is `<name>-CBA`; only A is not padded."""
    parts = _LEGACY.fullmatch(rest)
    if parts is None:
        raise ProfileURLError(URLProblem.BAD_PUB)
    name, first, middle, last = parts.groups()
    return normalize_slug(f"{decode_segment(name)}-{last:0>3}{middle:0>3}{first}")


def decode_segment(segment: str) -> str:
    """Percent-decode a path segment once, as UTF-8 (RFC 3986, section 2.5)."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise ProfileURLError(URLProblem.SLUG_CHARS) from None


def normalize_slug(name: str) -> str:
    """The canonical form of a decoded slug: NFC and lower case."""
    slug = _folded(name)
    _require(len(slug) in _LENGTHS, URLProblem.SLUG_LENGTH)
    _require(_could_be_given(slug) and not _is_cut_badly(slug), URLProblem.SLUG_CHARS)
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


def _require(condition: object, problem: URLProblem) -> None:
    """Raise `ProfileURLError` unless the condition is true."""
    if not condition:
        raise ProfileURLError(problem)
