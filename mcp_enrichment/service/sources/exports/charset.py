"""Text whose encoding is known only while it is read, and which may change within a file.

Bytes that are not UTF-8 come as surrogates, each one byte (PEP 383), so that nothing is lost before
a reader knows better.
"""

from __future__ import annotations

import codecs
import re

AS_BYTES = "surrogateescape"
"""How text is to be opened that `in_characters` finishes."""

_SHIFT = "\x1b"
"""What ISO-2022-JP, all in ASCII, changes its characters with."""
_NAMED = re.compile(r';\s*CHARSET="?([\w.:-]+)', re.IGNORECASE)
# As in browsers (https://encoding.spec.whatwg.org/#names-and-labels): programs write the larger set
# under the name of the smaller one.
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
"""Of Python's text encodings, those that no 8-bit text in a line can have."""


def in_characters(line: str) -> str:
    """A line with its bytes decoded: as UTF-8, by the `CHARSET` that it names, else Windows-1252.

    It should be whole: programs fold lines amid the bytes of one character.
    """
    if not (has_bytes(line) or _SHIFT in line):
        return line
    octets = line.encode("utf-8", AS_BYTES)
    named = _NAMED.search(line.partition(":")[0])
    return decoded(octets, named[1] if named else "utf-8")


def has_bytes(line: str) -> bool:
    """Whether it holds bytes that are not UTF-8."""
    if line.isascii():
        return False
    try:
        line.encode()
    except UnicodeEncodeError:
        return True
    return False


def decoded(octets: bytes, charset: str) -> str:
    """By UTF-8 where that is possible, whatever is named: some files are converted later on."""
    named = _encoding(charset)
    for encoding in (named,) if _SHIFT.encode() in octets else ("utf-8", named):
        try:
            return octets.decode(encoding)
        except (LookupError, ValueError):  # the former for `rot13`, which is no text encoding
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


# Byte by byte, so that a line which is UTF-8 but for some of its bytes keeps the rest.
codecs.register_error(_as_cp1252.__name__, _as_cp1252)
