"""The stream of `subscriptions/listen` over HTTP ends with the server or with the credential."""

from __future__ import annotations

import json
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from tests.cli.commands import Shell
from tests.mcp.faces import WORK, data_of
from tests.mcp.pipes import modern
from tests.over_http.served import ACCEPT, key_of, served, talking
from tests.support.contract_server import ContractServer, found
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.over_http.served import Served
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio


class Listener:
    """A client with an open stream; records its messages until the stream ends."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.heard: list[dict[str, Any]] = []
        self.is_acknowledged, self.is_notified = anyio.Event(), anyio.Event()
        self.has_ended = anyio.Event()

    async def listen(self, enrichment_id: str) -> None:
        wanted = {"resourceSubscriptions": [f"enrichment://{enrichment_id}"]}
        method = "subscriptions/listen"
        asked = {"jsonrpc": "2.0", "id": 1, "method": method}
        asked["params"] = modern(notifications=wanted)
        headers = ACCEPT | {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        headers["authorization"] = f"Bearer {self.key}"
        async with (
            httpx.AsyncClient(timeout=HANG) as http,
            http.stream("POST", self.url, json=asked, headers=headers) as stream,
        ):
            async for line in stream.aiter_lines():
                if line.startswith("data: {"):
                    self.heard.append(json.loads(line.removeprefix("data: ")))
                    (
                        self.is_notified if self.is_acknowledged.is_set() else self.is_acknowledged
                    ).set()
        self.has_ended.set()

    @property
    def methods(self) -> list[str]:
        return [one.get("method", "result") for one in self.heard]


ACKNOWLEDGED, UPDATED = (
    "notifications/subscriptions/acknowledged",
    "notifications/resources/updated",
)


@pytest.mark.parametrize("is_revoked", [False, True])
async def test_a_listener_is_notified_unless_its_key_was_revoked_meanwhile(
    is_revoked: bool, vendor: ScriptedServer, tmp_path: Path
) -> None:
    lookups = ContractServer(holds=True)
    vendor.always(lookups)
    async with _listening(vendor, tmp_path) as (_, listener):
        if is_revoked:
            assert Shell(tmp_path).run("keys", "revoke", listener.key.split("_")[1]).code == 0
        lookups.end(found())
        with anyio.fail_after(HANG):
            await listener.is_notified.wait()
    assert listener.methods == [ACKNOWLEDGED, "result" if is_revoked else UPDATED]


async def test_a_stream_ends_cleanly_and_soon_when_the_server_receives_a_signal(
    vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(ContractServer(holds=True))
    async with _listening(vendor, tmp_path) as (face, listener):
        face.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(HANG):
            await listener.has_ended.wait()
        assert await face.stderr() == ""
    assert listener.methods == [ACKNOWLEDGED, "result"]


@asynccontextmanager
async def _listening(
    vendor: ScriptedServer, folder: Path
) -> AsyncIterator[tuple[Served, Listener]]:
    """A server, and a client that listens there for a request that is under way."""
    key = key_of(folder, "acme")
    with served(folder, API_URL=vendor.url, API_KEY="a-key") as face:
        listener = Listener(face.url, key)
        async with anyio.create_task_group() as tasks:
            with anyio.fail_after(HANG):
                tasks.start_soon(listener.listen, await _requested(face.url, key))
                await listener.is_acknowledged.wait()
            yield face, listener
            tasks.cancel_scope.cancel()


async def _requested(url: str, key: str) -> str:
    async with talking(url, "auto", key) as client:
        asked = await client.call_tool("request_email_enrichment", WORK | {"wait_seconds": 0})
        return str(data_of(asked)["id"])
