"""Whether anything was written, without reading any table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread
from sqlalchemy import Text, cast, func, select

if TYPE_CHECKING:
    from mcp_enrichment.service.db.database import Database

_END_OF_WAL = select(cast(func.pg_current_wal_insert_lsn(), Text))


async def last_change(database: Database) -> object:
    """A value that differs after each write. On Postgres it may also differ without one."""
    if database.data_version:
        return await anyio.to_thread.run_sync(database.data_version)
    return await database.read(lambda c: c.execute(_END_OF_WAL).scalar())
