"""Workers that release their jobs when they end, also on a busy machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.service.queue import procrastinate_worker, sqlite_worker
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable


def let_jobs_be_released(change: Callable[[Any, str, float], None] = setattr) -> None:
    """Give a worker that ends all the time that its last writes take."""
    change(sqlite_worker, "RELEASE_SECONDS", HANG)
    change(procrastinate_worker, "RELEASE_SECONDS", HANG)
