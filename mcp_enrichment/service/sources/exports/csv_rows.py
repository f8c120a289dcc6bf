"""Reads the rows of a CSV table that may have unclosed quotation marks."""

from __future__ import annotations

import csv
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ROW = 2**20
"""Characters of a row. A longer row started with an unclosed quotation mark."""


END = "end of the row"


class CsvRows:
    """Yields the first line number and the cells of each row; None for an unreadable row.

    An unclosed quotation mark costs only its own line: the lines that it swallowed, up to a mark
    that cannot close it by RFC 4180, are read again. A note of several lines stays one row.
    """

    def __init__(self, lines: Iterator[str], *, delimiter: str, done: int) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._done = done
        self._again = deque[str]()
        self._taken = list[str]()
        self._size = 0

    def __iter__(self) -> Iterator[tuple[int, list[str] | None]]:
        reader = self._reader()
        while True:
            self._taken.clear()
            self._size = 0
            try:
                cells = next(reader, None)
            except csv.Error:
                cells, reader = self._first_line_alone(), self._reader()
            if not self._taken:
                return
            begins = self._done + 1
            self._done += len(self._taken)
            yield begins, cells

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._noted(), delimiter=self._delimiter, strict=True)

    def _noted(self) -> Iterator[str]:
        while self._size <= MAX_ROW:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._taken.append(line)
            self._size += len(line)
            yield line

    def _first_line_alone(self) -> list[str] | None:
        """The cells of a line with stray quotation marks; None if one of them is never closed."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        stray = csv.reader([*self._taken, END], delimiter=self._delimiter)
        try:
            cells = next(stray, None)
        except csv.Error:
            return None
        return cells if next(stray, None) == [END] else None
