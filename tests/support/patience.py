"""A client that waits for its own disk and its other processes for as long as a test may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.client import client as client_module
from mcp_enrichment.client import submitter
from mcp_enrichment.client.state import sqlite_file, webhook_store
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable


def be_patient(change: Callable[[Any, str, float], None] = setattr) -> None:
    """On a busy machine, a lock or a write of the memory may take seconds."""
    change(submitter, "OTHERS_SECONDS", HANG)
    change(sqlite_file, "BUSY_TIMEOUT", HANG)
    change(webhook_store, "BUSY_TIMEOUT", HANG)
    change(client_module, "NOTE_SECONDS", HANG)
