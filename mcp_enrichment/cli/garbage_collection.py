"""Keeps Python's garbage collector from pausing a server."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GC_THRESHOLDS = (5_000, 20, 100)
"""For a server with thousands of waits. They are millions of live objects, and a full collection
takes seconds in which nothing is served. With these thresholds, young objects are collected in
steps of at most 0.1 s, and all objects only once that may free a gigabyte."""


@contextmanager
def frozen_imports() -> Iterator[None]:
    """Exclude all objects that the block imports from garbage collection: they are never freed."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
