"""A state file for the MCP server with lookups that were requested before the waits begin."""

from __future__ import annotations

import time
from dataclasses import astuple
from typing import TYPE_CHECKING

from mcp_enrichment.client.client import account_key
from mcp_enrichment.client.state.records import RequestRecord, SubmitState, dedup_key
from mcp_enrichment.client.state.requests import SCHEMA
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.contract.models import EmailType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


async def remember(file: Path, url: str, key: str, profiles: Sequence[str]) -> list[str]:
    """Save all as requested, in one transaction; return the ids. Single requests would take longer
    than the rest of the benchmark."""
    account = account_key(url, key)
    asked = [_accepted(account, profile) for profile in profiles]
    insert = f"INSERT INTO requests VALUES ({', '.join('?' * 10)})"  # noqa: S608 (only question marks)
    await SQLiteFile(file, SCHEMA).run(lambda db: db.executemany(insert, map(astuple, asked)))
    return [str(one.enrichment_id) for one in asked]


def _accepted(account: str, profile: str) -> RequestRecord:
    name = profile.rpartition("/")[2]
    return RequestRecord(
        dedup_key=dedup_key(account, profile, EmailType.WORK),
        account=account,
        type=EmailType.WORK,
        key=name,
        state=SubmitState.ACCEPTED,
        enrichment_id=name,
        asked_at=time.time(),
    )
