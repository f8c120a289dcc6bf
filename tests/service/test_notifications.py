"""While Postgres cannot notify of outcomes, the log says so once for each outage."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import anyio
import pytest

from mcp_enrichment.service.db import postgres as database
from mcp_enrichment.service.requests.completion_waiter import CHANNEL
from tests.support.databases import rows
from tests.support.waiting import HANG

pytestmark = pytest.mark.anyio
CUT = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = 'mcp-enrichment-notifications' AND datname = current_database()"""


@pytest.fixture(autouse=True)
def _tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "RECONNECT_EVERY", 0)


def _warnings(caplog: pytest.LogCaptureFixture) -> int:
    return sum("sends no notifications" in record.message for record in caplog.records)


async def test_an_outage_is_told_once_however_often_it_is_tried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: asyncio.Queue[None] = asyncio.Queue()

    def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        tries.put_nowait(None)

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as away:
        port = away.sockets[0].getsockname()[1]
        listening = asyncio.ensure_future(
            anext(database.listen(f"postgresql://it@127.0.0.1:{port}/it", CHANNEL))
        )
        with anyio.fail_after(HANG):
            for _ in range(5):
                await tries.get()
        listening.cancel()
    assert _warnings(caplog) == 1


async def test_the_next_outage_is_told_again(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with aclosing(database.listen(url, CHANNEL)) as heard:
        for outages in range(3):
            with anyio.fail_after(HANG):
                assert await anext(heard) is None
            assert _warnings(caplog) == outages
            assert rows(url, CUT) == [(1,)]
