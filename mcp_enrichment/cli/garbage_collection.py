"""Keeps the pauses of Python's garbage collector short."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GC_THRESHOLDS = (5_000, 20, 100)
"""The arguments of `gc.set_threshold` in a server. With thousands of waits it has millions of
objects, and a full collection pauses it for seconds. With these thresholds a collection of young
objects takes 0.1 s at most, and a full one happens only when it may free a gigabyte."""


@contextmanager
def frozen_imports() -> Iterator[None]:
    """Exclude from garbage collection all objects that exist at the end of the block. It is meant
    for imports: these objects are never freed."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
