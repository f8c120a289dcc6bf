"""A client that waits for its own disk and its other processes for as long as a test may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.client import asking, memory_file, push_file
from mcp_enrichment.client import client as client_module
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable


def be_patient(change: Callable[[Any, str, float], None] = setattr) -> None:
    """On a busy machine, a lock or a write of the memory may take seconds."""
    change(asking, "OTHERS_SECONDS", HANG)
    change(memory_file, "BUSY_TIMEOUT", HANG)
    change(push_file, "BUSY_TIMEOUT", HANG)
    change(client_module, "NOTE_SECONDS", HANG)
