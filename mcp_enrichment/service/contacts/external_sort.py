"""Sorts more texts than memory holds: sorted runs wait in unnamed temporary files, to be merged."""

from __future__ import annotations

import heapq
import marshal
from contextlib import ExitStack
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUN = 25_000
"""Texts that memory holds at a time."""
BLOCK = 100
"""Texts of a run that are read back at once."""


def sort_externally(texts: Iterable[str]) -> Iterator[str]:
    """The texts in their order. Nothing is given before all of them were taken."""
    texts = iter(texts)
    with ExitStack() as files:
        last, runs = sorted(islice(texts, RUN)), list[IO[bytes]]()
        while following := sorted(islice(texts, RUN)):
            file = files.enter_context(TemporaryFile())
            for start in range(0, RUN, BLOCK):
                marshal.dump(last[start : start + BLOCK], file)
            runs.append(file)
            last = following
        for run in runs:
            run.seek(0)
        yield from heapq.merge(*map(_stored, runs), last)


def _stored(file: IO[bytes]) -> Iterator[str]:
    while True:
        try:
            yield from marshal.load(file)  # noqa: S302 (this process wrote it, and no other has its name)
        except EOFError:
            return
