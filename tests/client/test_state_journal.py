"""The journal of the state file: a commit survives a power failure; forgotten rows are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client.state.records import dedup_key
from mcp_enrichment.contract.models import EmailType
from tests.support.contract_server import PROFILE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.state.requests import RequestStore

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
