"""The names of LinkedIn accounts, which stand alone where LinkedIn is what a place is for."""

from __future__ import annotations

import re

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
"""What is written in place of a name, and would make one profile of many persons."""


def profile_url_for(text: str) -> str:
    """The URL of a profile that is named by `ada-okafor`, `@ada-okafor` or `x-apple:ada-okafor`;
    any other text as it is, and nothing for what names nobody.
    """
    name = _PREFIX.sub("", text.strip())
    if name.casefold() in _NOBODY:
        return ""
    return f"https://www.linkedin.com/in/{name}" if _HANDLE.fullmatch(name) else text
