"""Texts that people paste into settings and files: cleaned, and checked for placeholders.

Chat clients pass a placeholder on if they have no value for it. As an API key it would be sent to
the vendor together with a profile; as a folder it would be created.
"""

from __future__ import annotations

import codecs
import re

_INVISIBLE = r"[\s\x00\u00ad\u200b-\u200f\u2060\ufeff]+"
"""White space, byte order marks, soft hyphens and zero-width spaces."""
_AROUND = re.compile(rf"^{_INVISIBLE}|{_INVISIBLE}$")

API_KEY_FORMAT = re.compile(r"[\x21-\x7e]+")
"""Visible ASCII characters."""

_BUNDLE_FIELD = re.compile(r"\$\{user_config\.\w*\}")
"""Claude Desktop passes this on for an empty optional field of an extension."""
_ANYWHERE = re.compile(
    r"""
      \$\{[^}]*\}             # ${NAME}, ${env:NAME}, ${input:key}, ${NAME:-default}, ${{ name }}
    | \{\{[^}]*\}\}           # {{key}}, of templates
    | \$\([^)]*\)             # $(NAME), of pipelines and shells
    | \{(?:env|file):[^}]*\}  # {env:NAME}, of opencode
    """,
    re.VERBOSE,
)
_WHOLE = re.compile(
    r"""
      \$[A-Z_][A-Z0-9_]* | \$[a-z_]+ | \$env:\w+  # of shells
    | %\w+%                                       # of Windows
    | <[^<>]*> | \{\w*\} | @@?[A-Za-z_]+@@? | \#\{[^}]*\}\#?
    | __[A-Za-z][A-Za-z_]*__
    | op://.*                                     # a reference that 1Password has not resolved
    """,
    re.VERBOSE,
)
_IN_A_PATH = re.compile(r"(?:^|[\\/])\$\w+|%[A-Za-z_]\w*%|^(?:[A-Za-z]:)?[\\/]path[\\/]to\b")
_IN_A_URL = re.compile(r"<[^<>]*>|\[your[^]]*\]", re.IGNORECASE)
_QUOTES = ('""', "''", "``", "“”", "\u2018\u2019", "„“", "«»")

_DECISIVE = "your insert paste enter replace change here placeholder todo tbd fixme fill"
_NEUTRAL = (
    "my the with this that it me in to be from put add set own real actual value enrichment vendor "
    "api key keys token secret password pass sk pk"
)
_WORDS = re.compile(
    rf"(?:(?P<decisive>{'|'.join(_DECISIVE.split())})|{'|'.join(_NEUTRAL.split())}|[^A-Za-z0-9])+",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(
    r"""
      (?:enrichment[-_])?api[-_ ]?key | null | none | nil | undefined | true | false | n/?a
    | \[.*\]                                      # [your key], [object Object]
    | (?:[a-z]{1,10}[-_])*x{3,}(?:[-_]?x+)*       # xxxx, sk-xxxxxxxx, xxxxxxxx-xxxx-xxxx
    | .*(?:\*{3}|\.{3}|…|•).*                     # a key as it is shown, with most of it hidden
    """,
    re.VERBOSE | re.IGNORECASE,
)

_BUNDLE = (
    "its field in the extension's settings is empty, and the chat client passes on the field's "
    "name in place of a value. Fill the field in, or type one space into it where none is meant"
)
_PLACEHOLDER = (
    "it holds a placeholder that was not filled in. Put the value itself in its place, or remove it"
)
_QUOTED = "it is in quotation marks. Write it without them"
_NO_KEY = "it is a placeholder and no real one. Put the real one in its place, or remove it"


def strip_invisible(text: str) -> str:
    """The text without invisible characters at its ends."""
    return _AROUND.sub("", text)


def decode_text(content: bytes) -> str:
    """Decode a text file: UTF-8, or UTF-16 with a byte order mark, which PowerShell writes.

    Raises `UnicodeDecodeError`.
    """
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf_16 else "utf-8-sig")


def text_problem(text: str) -> str | None:
    """Why this cannot be the value of a setting, or None. The sentence does not repeat the text,
    which may be a secret."""
    if _BUNDLE_FIELD.search(text):
        return _BUNDLE
    if text[:1] + text[-1:] in _QUOTES and len(text) > 1:
        return _QUOTED
    return _PLACEHOLDER if _ANYWHERE.search(text) or _WHOLE.fullmatch(text) else None


def path_problem(text: str) -> str | None:
    """The same for a path, which may contain a variable."""
    return text_problem(text) or (_PLACEHOLDER if _IN_A_PATH.search(text) else None)


def url_problem(text: str) -> str | None:
    """The same for a URL."""
    return text_problem(text) or (_PLACEHOLDER if _IN_A_URL.search(text) else None)


def secret_problem(text: str) -> str | None:
    """The same for an API key or another secret, which may also be a word in place of one."""
    if problem := text_problem(text):
        return problem
    words = _WORDS.fullmatch(text)
    is_none = _NO_VALUE.fullmatch(text) or (words and words["decisive"])
    return _NO_KEY if is_none else None


def api_key_problem(key: str) -> str | None:
    """A sentence about why this cannot be an API key, or None."""
    if problem := secret_problem(key):
        return f"The API key is none: {problem}."
    if not API_KEY_FORMAT.fullmatch(key):
        return "The API key holds a space, a line break or another character that no key has."
    return None
