"""From a path to text: a file, or the one inside a zip, and never without a bound."""

from __future__ import annotations

import codecs
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING

from mcp_enrichment.service.sources.exports.charset import AS_BYTES
from mcp_enrichment.service.sources.exports.records import InvalidExport
from mcp_enrichment.service.sources.exports.zip_member import find_export_member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer

Progress = Callable[[int, int], None]
"""Is told how many bytes are done, and of how many."""

MAX_BYTES = 2 * 2**30
"""Unpacked: some millions of rows."""
CHUNK_BYTES = 64 * 2**10
"""Read at a time, and so how often progress is told."""
SAMPLE_BYTES = 4096
"""By which an encoding without a mark is known."""

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# All that the zipfile module raises at one broken byte or another.
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
# In this order: the mark of UTF-32 begins as that of UTF-16 does.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BY_ZEROS = {"x0x0": "utf-16-le", "0x0x": "utf-16-be", "x000": "utf-32-le", "000x": "utf-32-be"}
"""Most of what an export begins with is ASCII, of which these of four bytes are zeros."""


@contextmanager
def open_text(path: Path, progress: Progress | None = None) -> Iterator[io.TextIOWrapper]:
    """Open an export as text whose line ends are left alone, and whose lines `in_characters` ends.

    Raises `InvalidExport`, also from a later read of the text.
    """
    with ExitStack() as stack:
        with _refusals(path):
            content, size = _content(path, stack)
        if size == 0:
            raise InvalidExport.because(path, "is empty")
        metered = _Metered(content, size, path, progress)
        yield stack.enter_context(_text(io.BufferedReader(metered, CHUNK_BYTES)))


class _Metered(io.RawIOBase):
    """Counts what passes, up to the bound, and turns what goes wrong into a refusal."""

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
        with _refusals(self._path):
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
    member = find_export_member(archive, path)
    return stack.enter_context(archive.open(member)), member.file_size


def _text(raw: io.BufferedReader) -> io.TextIOWrapper:
    encoding = _wide(raw.peek(SAMPLE_BYTES)[:SAMPLE_BYTES])
    if encoding:
        return io.TextIOWrapper(raw, encoding, errors="replace", newline="")
    return io.TextIOWrapper(raw, "utf-8-sig", errors=AS_BYTES, newline="")


def _wide(sample: bytes) -> str | None:
    """Which of UTF-16 and UTF-32 it is, by its mark or by where its zeros are; None for neither."""
    for mark, encoding in _MARKS.items():
        if sample.startswith(mark):
            return encoding
    zeros = "".join("0" if _is_mostly_zero(sample[place::4]) else "x" for place in range(4))
    return _BY_ZEROS.get(zeros)


def _is_mostly_zero(octets: bytes) -> bool:
    return octets.count(0) * 5 > len(octets)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except InvalidExport:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InvalidExport.because(path, "does not exist", "check the path") from error
    except PermissionError as error:
        raise InvalidExport.because(
            path, "may not be read", "allow this program to read it"
        ) from error
    except OSError as error:
        raise InvalidExport.because(
            path, "cannot be read", "copy it to a disk of this computer and pass the copy"
        ) from error
    except _DAMAGED as error:
        raise InvalidExport.because(path, "is damaged") from error
