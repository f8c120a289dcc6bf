"""Opens an export, or the one inside a zip, as text of bounded size, and decodes its lines.

The encoding is found while the text is read, and may change within a file. Each byte that is not
UTF-8 is kept as a surrogate (PEP 383), so that nothing is lost until the encoding is known.
"""

from __future__ import annotations

import codecs
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from typing import IO, TYPE_CHECKING

from mcp_enrichment.service.sources.exports.records import EXPORT_AGAIN, InvalidExport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from _typeshed import WriteableBuffer

    _Kinds = type[Exception] | tuple[type[Exception], ...]


Progress = Callable[[int, int], None]
"""Called with the bytes read and their total."""

MAX_BYTES = 2 * 2**30
"""Unpacked: millions of rows."""
CHUNK_BYTES = 64 * 2**10
"""The size of one read, after which progress is reported."""
SAMPLE_BYTES = 4096
"""The sample by which an encoding without a byte order mark is recognised."""

AS_BYTES = "surrogateescape"
"""The error handler to open the text with. `in_characters` decodes the kept bytes."""

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# The errors of the zipfile module for damaged files.
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
_FAILURES: Mapping[_Kinds, tuple[str, str]] = {
    (FileNotFoundError, NotADirectoryError): ("does not exist", "check the path"),
    PermissionError: ("may not be read", "allow this program to read it"),
    OSError: ("cannot be read", "copy it to a disk of this computer and pass the copy"),
    _DAMAGED: ("is damaged", EXPORT_AGAIN),
}
"""The problem and the remedy for each error. The first one counts."""
# In this order, as the mark of UTF-32 starts with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BY_ZEROS = {"x0x0": "utf-16-le", "0x0x": "utf-16-be", "x000": "utf-32-le", "000x": "utf-32-be"}
"""The start of an export is mostly ASCII, in which these bytes of four are zeros."""
_CONNECTIONS_CSV = "connections.csv"
_EXPORTS = (".csv", ".vcf")
_MACOS_FOLDER = "__macosx"
_OFFICE_MARK = "[Content_Types].xml"
_ENCRYPTED = 0x1
# Other methods do not limit the size that one read unpacks.
_BOUNDED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNPACK = "unpack it and pass the export in it"

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


@contextmanager
def open_text(path: Path, progress: Progress | None = None) -> Iterator[io.TextIOWrapper]:
    """Open an export as text. Line ends are kept. `in_characters` decodes the lines.

    Raises `InvalidExport`, also in later reads.
    """
    with ExitStack() as stack:
        with _as_invalid_export(path):
            content, size = _content(path, stack)
        if size == 0:
            raise InvalidExport.because(path, "is empty")
        metered = _Metered(content, size, path, progress)
        yield stack.enter_context(_text(io.BufferedReader(metered, CHUNK_BYTES)))


class _Metered(io.RawIOBase):
    """Counts the bytes up to `MAX_BYTES`, and raises `InvalidExport` for every failure."""

    def __init__(
        self, content: IO[bytes], size: int, path: Path, progress: Progress | None
    ) -> None:
        self._content, self._size, self._path = content, size, path
        self._progress = progress or (lambda _done, _size: None)
        self._done = 0
        self._check(size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)
        with _as_invalid_export(self._path):
            chunk = self._content.read(len(room))
        room[: len(chunk)] = chunk
        self._done += len(chunk)
        self._check(self._done)
        self._progress(self._done, max(self._done, self._size))
        return len(chunk)

    def _check(self, size: int) -> None:
        if size > MAX_BYTES:
            raise InvalidExport.because(
                self._path,
                f"holds more than {MAX_BYTES // 2**20} MiB",
                "pass the export in several files",
            )


def _content(path: Path, stack: ExitStack) -> tuple[IO[bytes], int]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InvalidExport.because(
            path, "is not a file", "pass the export itself, or the zip that it came in"
        )
    file = stack.enter_context(path.open("rb"))
    is_zip = file.read(4) in _ZIP_STARTS
    file.seek(0)
    if not is_zip:
        return file, status.st_size
    archive = stack.enter_context(zipfile.ZipFile(file))
    member = _find_export_member(archive, path)
    return stack.enter_context(archive.open(member)), member.file_size


def _text(raw: io.BufferedReader) -> io.TextIOWrapper:
    encoding = _wide(raw.peek(SAMPLE_BYTES)[:SAMPLE_BYTES])
    if encoding:
        return io.TextIOWrapper(raw, encoding, errors="replace", newline="")
    return io.TextIOWrapper(raw, "utf-8-sig", errors=AS_BYTES, newline="")


def _wide(sample: bytes) -> str | None:
    """UTF-16 or UTF-32, by its byte order mark or by the places of its zeros; None for neither."""
    for mark, encoding in _MARKS.items():
        if sample.startswith(mark):
            return encoding
    zeros = "".join("0" if _is_mostly_zero(sample[place::4]) else "x" for place in range(4))
    return _BY_ZEROS.get(zeros)


def _is_mostly_zero(octets: bytes) -> bool:
    return octets.count(0) * 5 > len(octets)


@contextmanager
def _as_invalid_export(path: Path) -> Iterator[None]:
    try:
        yield
    except InvalidExport:
        raise
    except (OSError, *_DAMAGED) as error:
        problem, remedy = next(say for kind, say in _FAILURES.items() if isinstance(error, kind))
        raise InvalidExport.because(path, problem, remedy) from error


def _find_export_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """LinkedIn's Connections.csv in the topmost folder, else the only table or vCard."""
    found = list[tuple[bool, int, zipfile.ZipInfo]]()
    for info in archive.infolist():
        *folders, name = re.split(r"[/\\]", info.filename.casefold())
        if name.endswith(_EXPORTS) and _MACOS_FOLDER not in folders:
            found.append((name != _CONNECTIONS_CSV, len(folders), info))
    if not found and _OFFICE_MARK in archive.namelist():
        raise InvalidExport.because(path, "is an Office document", "save it as CSV in UTF-8 there")
    if not found:
        raise InvalidExport.because(path, "holds neither a CSV file nor a vCard", _UNPACK)
    is_any, _, member = min(found, key=itemgetter(0, 1))
    if len(found) > 1 and is_any:
        raise InvalidExport.because(path, "holds several tables", _UNPACK)
    if member.flag_bits & _ENCRYPTED:
        raise InvalidExport.because(path, "is protected by a password", _UNPACK)
    if member.compress_type not in _BOUNDED_METHODS:
        raise InvalidExport.because(path, "is packed in a way that is not supported", _UNPACK)
    return member


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
