"""A browser is told when something was written, until its session or the process ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.console import live
from mcp_enrichment.console.routes import routes
from mcp_enrichment.console.sessions import SESSION_SECONDS
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.db.database import Database
from mcp_enrichment.service.http.app import create_app
from tests.console.visitor import visited_console
from tests.support.running_service import Clock
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from tests.console.visitor import Visitor
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio


class Stream:
    """The events of one browser, as an ASGI server would send them."""

    def __init__(self, visitor: Visitor) -> None:
        self._app = create_app(visitor.it.service, further=routes(visitor.console))
        cookies = "; ".join(f"{one.name}={one.value}" for one in visitor.http.cookies.jar)
        self._scope = {
            "type": "http",
            "method": "GET",
            "path": "/console/live",
            "raw_path": b"/console/live",
            "query_string": b"",
            "headers": [(b"host", b"it"), (b"cookie", cookies.encode())],
            "client": ("127.0.0.1", 1),
            "server": ("it", 80),
            "scheme": "http",
            "root_path": "",
            "http_version": "1.1",
        }
        self._parts, self._sent = anyio.create_memory_object_stream[str](100)
        self.has_begun, self.has_ended = False, anyio.Event()

    async def run(self) -> None:
        async with self._parts, self._sent:
            await self._app(self._scope, self._receive, self._send)
        self.has_ended.set()

    async def next(self) -> str:
        """The next part of the stream."""
        with anyio.fail_after(HANG):
            return await self._sent.receive()

    async def _receive(self) -> Any:
        await anyio.sleep_forever()

    async def _send(self, message: Any) -> None:
        if message.get("body"):
            await self._parts.send(message["body"].decode())


async def test_each_write_is_told_until_the_process_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY", 0.05)
    async with visited_console(place) as visitor, anyio.create_task_group() as tasks:
        stream = Stream(visitor)
        tasks.start_soon(stream.run)
        assert (await stream.next()).startswith("retry:")
        for number in range(2):
            await visitor.it.accepted(linkedin_url=f"https://www.linkedin.com/in/ada-{number}")
            assert "event: change" in await stream.next()
        visitor.it.service.shutdown.begin()
        with anyio.fail_after(HANG):
            await stream.has_ended.wait()


async def test_a_revoked_key_ends_its_stream(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY", 0.05)
    async with visited_console(place) as visitor, anyio.create_task_group() as tasks:
        key = await visitor.sign_in()
        stream = Stream(visitor)
        tasks.start_soon(stream.run)
        await stream.next()
        database = visitor.it.service.database
        await database.write(lambda c: api_keys.revoke(c, api_keys.key_id_of(key), at=1))
        with anyio.fail_after(HANG):
            await stream.has_ended.wait()


async def test_a_session_that_expires_ends_its_stream(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY", 0.05)
    clock = Clock()
    async with (
        visited_console(place, clock=clock) as visitor,
        anyio.create_task_group() as tasks,
    ):
        stream = Stream(visitor)
        tasks.start_soon(stream.run)
        await stream.next()
        clock.now += SESSION_SECONDS
        await visitor.it.accepted()
        with anyio.fail_after(HANG):
            await stream.has_ended.wait()


async def test_a_database_that_fails_ends_the_stream_quietly(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_database: object) -> object:
        if stream.has_begun:
            raise StorageFailed(StorageFault.UNREACHABLE)
        stream.has_begun = True
        return 1

    monkeypatch.setattr(live, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(Database, "last_change", fails)
    async with visited_console(place) as visitor, anyio.create_task_group() as tasks:
        stream = Stream(visitor)
        tasks.start_soon(stream.run)
        with anyio.fail_after(HANG):
            await stream.has_ended.wait()
