"""Opens an export of any known program, recognised by its content, and yields its contacts."""

from __future__ import annotations

import string
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.csv_table import (
    MAX_HEADER_LINES,
    find_layout,
    read_table,
)
from mcp_enrichment.service.sources.exports.formats import FORMATS
from mcp_enrichment.service.sources.exports.normalize import normalize_rows
from mcp_enrichment.service.sources.exports.open_text import (
    Progress,
    has_bytes,
    in_characters,
    open_text,
)
from mcp_enrichment.service.sources.exports.records import InvalidExport
from mcp_enrichment.service.sources.exports.vcard import is_begin, read_vcards

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import TextIOWrapper
    from pathlib import Path

    from mcp_enrichment.service.sources.exports.formats import ColumnMap
    from mcp_enrichment.service.sources.exports.records import Contact, Skipped

MAX_LINE = 64 * 2**10
"""Characters. A longer line is read as several. It is below the csv module's limit of a field."""
VCARD = "vcard"
_WHICH = (
    "pass what LinkedIn, HubSpot, Salesforce, Apollo, Google Contacts or Outlook export, or a "
    "vCard; of any other CSV name the columns: --map url=COLUMN,email=COLUMN"
)
_CHECK = "check the titles of its columns"
_SAVE_AS_UTF8 = "save it again as CSV in UTF-8"
_BOM = "\ufeff"
"""Also inside a file, after files with one were concatenated."""
_BLANK = string.whitespace + _BOM


@dataclass(frozen=True, slots=True)
class Export:
    name: str
    """The name of its format: the source of its contacts."""
    rows: Iterator[Contact | Skipped]
    """The contacts and skipped parts of each row, in order. Raises `InvalidExport` if the rest of
    the file cannot be read."""


@contextmanager
def open_export(
    path: Path, *, columns: ColumnMap | None = None, progress: Progress | None = None
) -> Iterator[Export]:
    """Recognise a file, or the one inside a zip; memory stays bounded for either.

    `columns` replaces the known formats. `progress` is called with the bytes read and their total.
    Raises `InvalidExport` for another file.
    """
    with open_lines(path, progress) as (raw, is_vcard):
        written_at = path.stat().st_mtime
        if columns is None and is_vcard:
            yield Export(VCARD, normalize_rows(read_vcards(raw), written_at=written_at))
            return
        decoder = Decoder()
        lines = decoder.decode(raw)
        formats = [columns] if columns else FORMATS
        layout = find_layout(lines, formats)
        if layout is None:
            raise _unknown(path, columns, is_utf8=decoder.is_utf8)
        rows = read_table(lines, layout, formats)
        yield Export(layout.format.name, normalize_rows(rows, written_at=written_at))


@contextmanager
def open_lines(
    path: Path, progress: Progress | None = None
) -> Iterator[tuple[Iterator[str], bool]]:
    """The lines of a file, or of the one inside a zip, and whether it starts as a vCard."""
    with open_text(path, progress) as text:
        lines = _lines(text)
        first = list(_up_to_text(lines))
        yield chain(first, lines), is_begin("".join(first[-1:]))


class Decoder:
    """Decodes the lines of a table, and records whether any was not UTF-8."""

    def __init__(self) -> None:
        self.is_utf8 = True

    def decode(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if line.isascii():
                yield line
            elif not has_bytes(line):
                yield line.lstrip(_BOM)
            else:
                self.is_utf8 = False
                yield in_characters(line)


def _up_to_text(lines: Iterator[str]) -> Iterator[str]:
    for line in islice(lines, MAX_HEADER_LINES):
        yield line
        if line.strip(_BLANK):
            return


def _unknown(path: Path, columns: ColumnMap | None, *, is_utf8: bool) -> InvalidExport:
    if columns and not is_utf8:
        return InvalidExport.because(path, "is not in UTF-8, nor are its titles", _SAVE_AS_UTF8)
    if columns:
        return InvalidExport.because(path, "has no header with those columns", _CHECK)
    return InvalidExport.because(path, "is not a known export", _WHICH)


def _lines(text: TextIOWrapper) -> Iterator[str]:
    for line in iter(partial(text.readline, MAX_LINE), ""):
        yield line.replace("\0", "")
