"""Workers that release their jobs when they end, however busy the machine is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.service.queue import procrastinate_worker, sqlite_worker
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable


def let_jobs_be_released(change: Callable[[Any, str, float], None] = setattr) -> None:
    """A worker that ends has all the time that its last writes take."""
    change(sqlite_worker, "RELEASE_SECONDS", HANG)
    change(procrastinate_worker, "RELEASE_SECONDS", HANG)
