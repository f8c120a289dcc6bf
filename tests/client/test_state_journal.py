"""The journal of the state file: a commit survives a power failure; forgotten rows are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client.state import sqlite_file
from mcp_enrichment.client.state.records import dedup_key
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import PROFILE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.state.requests import RequestStore
    from tests.client.conftest import NewClient

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("lookups")]

HEADER = 28
"""Bytes at the start of a journal. While they are zero, SQLite undoes nothing."""
FORGETS: dict[str, Callable[[RequestStore], Awaitable[int]]] = {
    "one": lambda store: store.forget([dedup_key(store.account, PROFILE, EmailType.WORK)]),
    "profile": lambda store: store.forget_profiles([PROFILE]),
    "all": lambda store: store.clear(),
}


@pytest.fixture
def journal(memory: Path) -> Callable[[], bytes]:
    return memory.with_name(f"{memory.name}-journal").read_bytes


async def test_a_commit_is_marked_in_the_journal_which_is_synchronized(
    client: EnrichmentClient, journal: Callable[[], bytes]
) -> None:
    await client.request(PROFILE, EmailType.WORK)
    content = journal()
    assert len(content) > HEADER
    assert not any(content[:HEADER])


@pytest.mark.parametrize("forget", FORGETS.values(), ids=FORGETS.keys())
async def test_what_is_forgotten_is_not_left_in_the_journal(
    client: EnrichmentClient,
    journal: Callable[[], bytes],
    forget: Callable[[RequestStore], Awaitable[int]],
) -> None:
    await client.request(PROFILE, EmailType.WORK)
    assert await forget(client._store) == 1
    assert journal() == b""


async def test_what_is_forgotten_is_in_no_file_also_if_sqlite_keeps_what_it_deletes(
    new_client: NewClient, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(path: Path, timeout: float) -> sqlite3.Connection:
        connection = connect_as_built(path, timeout)
        connection.execute("PRAGMA secure_delete = OFF")  # as many builds of it do
        return connection

    def content() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in memory.parent.glob("memory.db*")}

    connect_as_built = sqlite_file._connect
    monkeypatch.setattr(sqlite_file, "_connect", connect)
    async with new_client() as client:
        store, other = client._store, f"{PROFILE}-2"
        key = dedup_key(store.account, PROFILE, EmailType.WORK)
        await client.request(PROFILE, EmailType.WORK)
        assert key.encode() in content()[memory.name]
        assert await store.forget([key]) == 1
        await client.request(other, EmailType.WORK)
    assert {"memory.db", "memory.db-journal"} <= content().keys()
    assert not [name for name, found in content().items() if key.encode() in found]
