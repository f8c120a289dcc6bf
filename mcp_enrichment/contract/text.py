"""Text that people paste or write to files."""

from __future__ import annotations

import codecs
import re

_INVISIBLE = r"[\s\x00\u00ad\u200b-\u200f\u2060\ufeff]+"
"""White space, byte order marks, soft hyphens and zero-width spaces."""
_AROUND = re.compile(rf"^{_INVISIBLE}|{_INVISIBLE}$")


def strip_invisible(text: str) -> str:
    """The text without invisible characters at its ends."""
    return _AROUND.sub("", text)


def decode_text(content: bytes) -> str:
    """Decode a text file: UTF-8, or UTF-16 with a byte order mark, which PowerShell writes.

    Raises `UnicodeDecodeError`.
    """
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
