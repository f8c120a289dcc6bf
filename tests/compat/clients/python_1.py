"""A host on any Python SDK 1.x: `python_1.py SERVER` prints its verdict as JSON.

SERVER is JSON: a `command` with its `env`, or a `url`.
"""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import (
    CancelledNotification,
    CancelledNotificationParams,
    ClientNotification,
    ProgressNotification,
    ServerNotification,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADA = {"linkedin_url": "https://www.linkedin.com/in/ada-okafor-example", "type": "work"}
SLOW = {"linkedin_url": "linkedin.com/in/sandbox-slow-60", "type": "work", "wait_seconds": 0}


class Host:
    """A session, and all progress that has reached it, also after a call has ended."""

    def __init__(self, session: ClientSession | None = None) -> None:
        self.progress: list[tuple[Any, float, float | None]] = []
        self.moved = anyio.Event()
        self.session = session

    async def hear(self, message: Any) -> None:
        if not isinstance(message, ServerNotification):
            return
        if isinstance(message.root, ProgressNotification):
            told = message.root.params
            self.progress.append((told.progressToken, told.progress, told.total))
            self.moved.set()

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        # Only of waits: a busy machine may make any call last long enough to report progress.
        heard = _heard_by_host if tool == "wait_for_enrichment" else None
        return await self.session.call_tool(tool, arguments, progress_callback=heard)

    async def cancelled_wait(self, ids: list[str]) -> int:
        """Wait until the first progress, then cancel; return the id of the request."""
        request_id: int = self.session._request_id
        arguments = {"ids": ids, "timeout_seconds": 45}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.call, "wait_for_enrichment", arguments)
            await self.moved.wait()
            params = CancelledNotificationParams(requestId=request_id, reason="changed my mind")
            note = CancelledNotification(method="notifications/cancelled", params=params)
            await self.session.send_notification(ClientNotification(note))
            tasks.cancel_scope.cancel()
        return request_id


async def _heard_by_host(*_progress: Any) -> None:
    """Request progress; each notification also reaches the host as a message."""


@asynccontextmanager
async def connected(server: dict[str, Any]) -> AsyncIterator[tuple[Host, str]]:
    if "url" in server:
        transport = streamablehttp_client(server["url"])
    else:
        command, *args = server["command"]
        transport = stdio_client(
            StdioServerParameters(command=command, args=args, env=server["env"])
        )
    host = Host()
    async with (
        transport as (incoming, outgoing, *_),
        ClientSession(incoming, outgoing, message_handler=host.hear) as session,
    ):
        host.session = session
        yield host, str((await session.initialize()).protocolVersion)


async def main(server: dict[str, Any]) -> None:
    async with connected(server) as (host, protocol):
        listed = await host.session.list_tools()
        found = await host.call("request_email_enrichment", ADA)
        refused = await host.call("get_enrichment", {"id": "0" * 24})
        slow = json.loads((await host.call("request_email_enrichment", SLOW)).content[0].text)
        cancelled = await host.cancelled_wait([slow["id"]])
        before = len(host.progress)
        again = await host.call("wait_for_enrichment", {"ids": [slow["id"]], "timeout_seconds": 10})
        verdict = {
            "protocol": protocol,
            "tools": [tool.name for tool in listed.tools],
            "text": json.loads(found.content[0].text),
            "structured": getattr(found, "structuredContent", None),
            "refused": [refused.isError, refused.meta["error"]["code"]],
            "unknown_tool": await _code_of_unknown(host),
            "progress": [told[1:] for told in host.progress],
            "waited_again": json.loads(again.content[0].text),
            "late": [told for told in host.progress[before:] if told[0] == cancelled],
        }
    print(json.dumps(verdict))


async def _code_of_unknown(host: Host) -> int | None:
    try:
        await host.call("no_such_tool", {})
    except McpError as error:
        return error.error.code
    return None


if __name__ == "__main__":
    anyio.run(main, json.loads(sys.argv[1]))
