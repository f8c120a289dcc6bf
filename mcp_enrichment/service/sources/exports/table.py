"""The rows of a table, though a quotation mark in it may never be closed."""

from __future__ import annotations

import csv
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES_PER_ROW = 100
"""A row that takes more began with a quotation mark that nothing closes; notes have some lines."""


class Rows:
    """Gives each row with the line that it begins at; None for one that cannot be read.

    A quotation mark that nothing closes costs its own line alone: what it swallowed is read again.
    """

    def __init__(self, lines: Iterator[str], *, delimiter: str, done: int) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._done = done
        self._again = deque[str]()
        self._taken = list[str]()

    def __iter__(self) -> Iterator[tuple[int, list[str] | None]]:
        reader = self._reader()
        while True:
            self._taken.clear()
            try:
                cells = next(reader, None)
            except csv.Error:
                cells = None
            if not self._taken:
                return
            begins = self._done + 1
            if cells is None or len(self._taken) > MAX_LINES_PER_ROW:
                self._again.extendleft(reversed(self._taken[1:]))
                del self._taken[1:]
                cells, reader = None, self._reader()
            self._done += len(self._taken)
            yield begins, cells

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._noted(), delimiter=self._delimiter)

    def _noted(self) -> Iterator[str]:
        while len(self._taken) <= MAX_LINES_PER_ROW:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._taken.append(line)
            yield line
