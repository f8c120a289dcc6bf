"""Decoding of text whose encoding is found while it is read, and may change within a file.

Each byte that is not UTF-8 is kept as a surrogate (PEP 383), so that nothing is lost until the
encoding is known.
"""

from __future__ import annotations

import codecs
import re

AS_BYTES = "surrogateescape"
"""The error handler to open the text with. `in_characters` decodes the kept bytes."""

_SHIFT = "\x1b"
"""Starts a character set of ISO-2022-JP, which is ASCII otherwise."""
_NAMED = re.compile(r';\s*CHARSET="?([\w.:-]+)', re.IGNORECASE)
# As browsers do (https://encoding.spec.whatwg.org/#names-and-labels): programs write the larger
# character set under the name of the smaller one.
_LARGER = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_ALIASES = {"x-sjis": "cp932", "x-gbk": "gb18030", "x-mac-cyrillic": "mac_cyrillic"}
_NO_CHARSETS = re.compile(r"utf-(?:7|16|32)|idna|punycode|unicode|raw|undefined|mbcs|oem")
"""Python's text encodings that are not for lines of 8-bit text."""


def in_characters(line: str) -> str:
    """Decode the kept bytes of a line: as UTF-8, else by its `CHARSET`, else as Windows-1252.

    Pass a whole line, as programs fold lines between the bytes of one character.
    """
    if not (has_bytes(line) or _SHIFT in line):
        return line
    octets = line.encode("utf-8", AS_BYTES)
    named = _NAMED.search(line.partition(":")[0])
    return decoded(octets, named[1] if named else "utf-8")


def has_bytes(line: str) -> bool:
    """Whether the line contains bytes that are not UTF-8."""
    if line.isascii():
        return False
    try:
        line.encode()
    except UnicodeEncodeError:
        return True
    return False


def decoded(octets: bytes, charset: str) -> str:
    """Decode as UTF-8 if possible, whatever charset is named: some files were converted later."""
    named = _encoding(charset)
    for encoding in (named,) if _SHIFT.encode() in octets else ("utf-8", named):
        try:
            return octets.decode(encoding)
        except (LookupError, ValueError):  # LookupError: `rot13` is not a text encoding
            continue
    return octets.decode("utf-8", _as_cp1252.__name__)


def _encoding(charset: str) -> str:
    try:
        name = codecs.lookup(_ALIASES.get(charset.lower(), charset)).name
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if _NO_CHARSETS.match(name) else _LARGER.get(name, name)


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


# Byte by byte, so that a line with a few invalid bytes keeps its UTF-8.
codecs.register_error(_as_cp1252.__name__, _as_cp1252)
