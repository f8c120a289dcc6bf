"""Statements on how often a job's handler raised: counted apart from how often it was claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from mcp_enrichment.service.db.schema import callbacks, requests
from mcp_enrichment.service.queue.job import JobKind

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SUBJECTS = {JobKind.LOOK_UP: requests, JobKind.DELIVER: callbacks}


def count(connection: Connection, kind: JobKind, target_id: str) -> int:
    """Write down that the job raised once more; how often it has now. 0: its subject is gone."""
    table = _SUBJECTS[kind]
    this = (
        update(table)
        .where(table.c.id == target_id)
        .values(handler_errors=table.c.handler_errors + 1)
    )
    return int(connection.execute(this.returning(table.c.handler_errors)).scalar() or 0)
