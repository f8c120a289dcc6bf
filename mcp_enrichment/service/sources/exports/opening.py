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

from mcp_enrichment.service.sources.exports.archive import member_of
from mcp_enrichment.service.sources.exports.contact import ExportRefused

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

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# All that the zipfile module raises at one broken byte or another.
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
_UTF16_STARTS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextmanager
def opened(path: Path, progress: Progress | None = None) -> Iterator[io.TextIOWrapper]:
    """Open an export as text whose line ends are left alone.

    Raises `ExportRefused`, also from a later read of the text.
    """
    with ExitStack() as stack:
        with _refusals(path):
            content, size = _content(path, stack)
        if size == 0:
            raise ExportRefused.because(path, "is empty")
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
            raise ExportRefused.because(
                self._path,
                f"holds more than {MAX_BYTES // 2**20} MiB",
                "pass the export in several files",
            )


def _content(path: Path, stack: ExitStack) -> tuple[IO[bytes], int]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ExportRefused.because(
            path, "is not a file", "pass the export itself, or the zip that it came in"
        )
    file = stack.enter_context(path.open("rb"))
    is_zip = file.read(4) in _ZIP_STARTS
    file.seek(0)
    if not is_zip:
        return file, status.st_size
    archive = stack.enter_context(zipfile.ZipFile(file))
    member = member_of(archive, path)
    return stack.enter_context(archive.open(member)), member.file_size


def _text(raw: io.BufferedReader) -> io.TextIOWrapper:
    if raw.peek(2).startswith(_UTF16_STARTS):
        return io.TextIOWrapper(raw, "utf-16", errors="replace", newline="")
    return io.TextIOWrapper(raw, "utf-8-sig", errors=_as_cp1252.__name__, newline="")


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


# Byte by byte, and so in one pass: no file need be read to its end to learn its encoding first.
codecs.register_error(_as_cp1252.__name__, _as_cp1252)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except ExportRefused:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ExportRefused.because(path, "does not exist", "check the path") from error
    except PermissionError as error:
        raise ExportRefused.because(
            path, "may not be read", "allow this program to read it"
        ) from error
    except OSError as error:
        raise ExportRefused.because(
            path, "cannot be read", "copy it to a disk of this computer and pass the copy"
        ) from error
    except _DAMAGED as error:
        raise ExportRefused.because(path, "is damaged") from error
