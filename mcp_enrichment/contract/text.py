"""Texts that people copy: without what is invisible around them."""

from __future__ import annotations

import codecs
import re

_INVISIBLE = r"[\s\x00\u00ad\u200b-\u200f\u2060\ufeff]+"
"""White space, and what pages and editors add that nobody sees: a byte order mark, a soft hyphen,
spaces of no width."""
_AROUND = re.compile(rf"^{_INVISIBLE}|{_INVISIBLE}$")


def strip_invisible(text: str) -> str:
    """The text without what is invisible before and after it."""
    return _AROUND.sub("", text)


def decode_text(content: bytes) -> str:
    """The text of a file that a person wrote: UTF-8, or UTF-16 with its mark, as PowerShell writes
    it; without that mark. Raises `UnicodeDecodeError`."""
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
