"""Importing without the garbage collector."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def imported_for_good() -> Iterator[None]:
    """What is imported in it is never thrown away, so it is kept from the collector, which would
    look through it for nothing: several times before the start has ended, and at the end again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
