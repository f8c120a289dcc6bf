"""Subscribers are notified when an enrichment becomes final."""

from __future__ import annotations

import gc
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp.types import ResourceUpdatedNotification

from mcp_enrichment.app.client import lazy_client
from mcp_enrichment.mcp import subscriptions
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.mcp.subscriptions import StreamLimits
from tests.mcp.faces import ID, face, wire
from tests.support.scripted_server import ReceivedRequest, ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

    from mcp_enrichment.settings import Settings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings(f"ignore::{MCPDeprecationWarning.__module__}.MCPDeprecationWarning"),
]

URI = f"enrichment://{ID}"
OTHER = "0" * 24


@dataclass
class Vendor:
    """A lookup that runs until the test changes `status`, and counts its reads by id."""

    reads: dict[str, int] = field(default_factory=dict)
    status: str = "processing"
    read: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        its_id = seen.path.rpartition("/")[2]
        self.reads[its_id] = self.reads.get(its_id, 0) + 1
        self.read.set()
        await replies(200, wire(self.status, _id=its_id))(stream, seen)

    async def is_read_again(self) -> None:
        self.read = anyio.Event()
        with anyio.fail_after(HANG):
            await self.read.wait()


@pytest.fixture
def lookup(vendor: ScriptedServer) -> Vendor:
    running = Vendor()
    vendor.always(running)
    return running


@dataclass
class Subscriber:
    """A client with or without a handshake, and the URIs of its notifications."""

    client: Client
    told: list[str] = field(default_factory=list)
    news: anyio.Event = field(default_factory=anyio.Event)

    async def on_message(self, message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.hears(message.params.uri)

    def hears(self, uri: str) -> None:
        self.told.append(uri)
        self.news.set()

    @asynccontextmanager
    async def subscribed(self, *uris: str) -> AsyncIterator[None]:
        if self.client.protocol_version == "2026-07-28":
            async with self._listening(uris):
                yield
            return
        for uri in uris:
            await self.client.subscribe_resource(uri)
        yield
        for uri in uris:
            await self.client.unsubscribe_resource(uri)

    @asynccontextmanager
    async def _listening(self, uris: tuple[str, ...]) -> AsyncIterator[None]:
        async with (
            self.client.listen(resource_subscriptions=uris) as news,
            anyio.create_task_group() as tasks,
        ):

            async def hear() -> None:
                async for event in news:
                    self.hears(event.uri)  # type: ignore[union-attr]

            tasks.start_soon(hear)
            yield
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def subscriber(settings: Settings, era: str) -> AsyncIterator[Subscriber]:
    handlers: list[Subscriber] = []

    async def on_message(message: Any) -> None:
        await handlers[0].on_message(message)

    options = {"message_handler": on_message} if era == "legacy" else {}
    async with face(settings, era, **options) as client:
        handlers.append(Subscriber(client))
        yield handlers[0]


async def test_a_subscriber_is_told_once_when_the_enrichment_becomes_final(
    lookup: Vendor, remote: Settings, era: str
) -> None:
    async with subscriber(remote, era) as one, one.subscribed(URI):
        await lookup.is_read_again()
        assert one.told == []
        lookup.status = "completed"
        with anyio.fail_after(HANG):
            await one.news.wait()
        await one.client.list_tools()  # all that was sent before has arrived
        assert one.told == [URI]
        final = await one.client.read_resource(URI)
        assert "ada.okafor@example.com" in final.contents[0].text  # type: ignore[union-attr]


async def test_what_is_final_already_is_told_at_once(
    lookup: Vendor, remote: Settings, era: str
) -> None:
    lookup.status = "not-found"
    async with subscriber(remote, era) as one, one.subscribed(URI):
        with anyio.fail_after(HANG):
            await one.news.wait()
    assert one.told == [URI]


async def test_nobody_asks_the_service_once_the_subscriber_has_left(
    lookup: Vendor, remote: Settings, era: str
) -> None:
    async with subscriber(remote, era) as one:
        async with one.subscribed(URI):
            await lookup.is_read_again()
        await one.client.list_tools()
        reads = lookup.reads[ID]
        await anyio.sleep(1.2)  # twice the longest pause between two polls of a new lookup
        assert lookup.reads[ID] == reads


@pytest.mark.usefixtures("waits_from_first_read")
async def test_a_service_that_is_away_for_a_while_is_asked_again(
    vendor: ScriptedServer,
    lookup: Vendor,
    remote: Settings,
    era: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "ROUND", 0.2)
    monkeypatch.setattr(subscriptions, "PAUSE", 0.01)
    async with subscriber(remote, era) as one, one.subscribed(URI):
        await lookup.is_read_again()
        vendor.will(*[replies(503, b"") for _ in range(2)])
        lookup.status = "completed"
        with anyio.fail_after(HANG):
            await one.news.wait()
    assert one.told == [URI]


async def test_with_a_handshake_a_subscription_to_nothing_is_refused(
    vendor: ScriptedServer, remote: Settings
) -> None:
    vendor.will(replies(404, {"error": {"code": "not_found", "message": "?"}}))
    async with face(remote, "legacy") as client:
        for uri in (URI, "file:///x"):
            with pytest.raises(MCPError) as refused:
                await client.subscribe_resource(uri)
            assert refused.value.code == -32002
        with pytest.raises(MCPError, match="read them when needed"):
            await client.subscribe_resource("enrichment://credits")
    assert len(vendor.seen) == 1


async def test_with_a_handshake_a_hundred_subscriptions_are_enough(
    lookup: Vendor, remote: Settings
) -> None:
    async with face(remote, "legacy") as client:
        for number in range(100):
            await client.subscribe_resource(f"enrichment://{number:024x}")
        await client.subscribe_resource(f"enrichment://{OTHER}")  # subscribed already: number 0
        with pytest.raises(MCPError, match="No more than 100"):
            await client.subscribe_resource(f"enrichment://{ID}")
        await client.unsubscribe_resource(f"enrichment://{OTHER}")
        await client.subscribe_resource(f"enrichment://{ID}")


async def test_with_a_handshake_a_subscription_that_was_notified_counts_no_more(
    lookup: Vendor, remote: Settings
) -> None:
    lookup.status = "not-found"
    async with subscriber(remote, "legacy") as one:
        for number in range(101):
            one.news = anyio.Event()
            await one.client.subscribe_resource(f"enrichment://{number:024x}")
            with anyio.fail_after(HANG):
                await one.news.wait()
    assert len(one.told) == 101


async def test_without_a_handshake_the_client_is_told_what_will_be_told(
    lookup: Vendor, remote: Settings
) -> None:
    async with (
        face(remote, "auto") as client,
        client.listen(
            tools_list_changed=True,
            resource_subscriptions=[URI, "enrichment://credits", "file:///x"],
        ) as news,
    ):
        assert news.honored.resource_subscriptions == [URI]
        assert news.honored.tools_list_changed is None


async def test_a_stream_that_has_been_open_long_enough_ends_in_order(
    lookup: Vendor, remote: Settings
) -> None:
    assert lookup.status == "processing"
    async with lazy_client(remote) as get_client:
        server = create_server(get_client, limits=StreamLimits(seconds=0.1))
        async with Client(server) as client, client.listen(resource_subscriptions=[URI]) as news:
            with anyio.fail_after(HANG):
                assert [event async for event in news] == []


async def test_an_enrichment_that_nobody_knows_ends_its_watch_and_no_other(
    vendor: ScriptedServer, remote: Settings
) -> None:
    async def one_is_known(stream: SocketStream, seen: ReceivedRequest) -> None:
        known = seen.path.endswith(ID)
        answer = replies(200, wire("completed")) if known else replies(404, {"error": {}})
        await answer(stream, seen)

    vendor.always(one_is_known)
    async with subscriber(remote, "auto") as one:
        async with one.subscribed(f"enrichment://{OTHER}", URI):
            with anyio.fail_after(HANG):
                await one.news.wait()
        assert one.told == [URI]


async def test_repeated_subscribing_and_unsubscribing_leaves_nothing_behind(
    lookup: Vendor, remote: Settings, era: str
) -> None:
    async with subscriber(remote, era) as one:

        async def rounds(many: int) -> int:
            for _ in range(many):
                async with one.subscribed(URI):
                    pass
            await one.client.list_tools()  # the end of the last subscription has arrived
            return _scopes()

        before = await rounds(5)
        assert await rounds(300) < before + 100


async def test_calls_that_wait_and_are_cancelled_leave_nothing_behind(
    lookup: Vendor, remote: Settings, era: str
) -> None:
    async with face(remote, era) as client:

        async def rounds(many: int) -> int:
            for _ in range(many):
                with anyio.CancelScope() as call:
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(client.call_tool, "wait_for_enrichment", {"ids": [ID]})
                        await anyio.wait_all_tasks_blocked()
                        call.cancel()
            await client.list_tools()
            return _scopes()

        before = await rounds(5)
        assert await rounds(150) < before + 50


def _scopes() -> int:
    """The cancel scopes that are still referenced: each watch and each wait has one."""
    gc.collect()
    kind = type(anyio.CancelScope())
    return sum(isinstance(one, kind) for one in gc.get_objects())
