"""Sorts more rows than memory holds: sorted runs wait in unnamed temporary files and are merged."""

from __future__ import annotations

import heapq
import marshal
from contextlib import ExitStack
from itertools import islice
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Row = list[Any]

RUN = 25_000
"""Rows that memory holds at a time."""
BLOCK = 100
"""Rows of a run that are read back at once."""


def in_order(rows: Iterable[Row], *, by: int) -> Iterator[Row]:
    """The rows by their first so many values, which are texts; equal ones in the order they came.

    Nothing is given before all of them were taken. The values are texts, numbers and None.
    """
    key = itemgetter(slice(by))
    rows = iter(rows)
    with ExitStack() as files:
        last, runs = sorted(islice(rows, RUN), key=key), list[IO[bytes]]()
        while following := sorted(islice(rows, RUN), key=key):
            file = files.enter_context(TemporaryFile())
            for start in range(0, RUN, BLOCK):
                marshal.dump(last[start : start + BLOCK], file)
            runs.append(file)
            last = following
        for run in runs:
            run.seek(0)
        yield from heapq.merge(*map(_stored, runs), last, key=key)


def _stored(file: IO[bytes]) -> Iterator[Row]:
    while True:
        try:
            yield from marshal.load(file)  # noqa: S302 (this process wrote it, and no other has its name)
        except EOFError:
            return
