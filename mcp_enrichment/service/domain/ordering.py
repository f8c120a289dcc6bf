"""More rows in order than memory holds: what is too much for it waits in files without a name."""

from __future__ import annotations

import heapq
import json
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


def in_order(rows: Iterable[Row], *, by: int) -> Iterator[Row]:
    """The rows by their first so many values, which are texts; equal ones in the order they came.

    Nothing is given before all of them were taken. The values are those that JSON knows.
    """
    key = itemgetter(slice(by))
    rows = iter(rows)
    with ExitStack() as files:
        last, runs = sorted(islice(rows, RUN), key=key), list[IO[str]]()
        while following := sorted(islice(rows, RUN), key=key):
            file = files.enter_context(TemporaryFile("w+", encoding="ascii"))
            file.writelines(f"{json.dumps(row)}\n" for row in last)
            runs.append(file)
            last = following
        for stored in runs:
            stored.seek(0)
        yield from heapq.merge(*(map(json.loads, stored) for stored in runs), last, key=key)
