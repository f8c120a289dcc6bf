"""A host on the Python SDK 2.x: `python_2.py SERVER MODE` prints its verdict as JSON.

SERVER is JSON: a `command` with its `env`, or a `url`. MODE is the SDK's: `auto` or `legacy`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import ProgressNotification

ADA = {"linkedin_url": "https://www.linkedin.com/in/ada-okafor-example", "type": "work"}
SLOW = {"linkedin_url": "linkedin.com/in/sandbox-slow-60", "type": "work", "wait_seconds": 0}


class Progress:
    """The progress of all calls that has arrived, also after a call has ended."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, float, float | None]] = []
        self.moved = anyio.Event()

    async def hear(self, message: Any) -> None:
        if isinstance(message, ProgressNotification):
            told = message.params
            self.told.append((told.progress_token, told.progress, told.total))
            self.moved.set()


async def main(server: dict[str, Any], mode: str) -> None:
    progress = Progress()
    where = server.get("url") or _started_by(server)
    async with Client(where, mode=mode, message_handler=progress.hear) as client:
        listed = await client.list_tools()
        found = await client.call_tool("request_email_enrichment", ADA)
        refused = await client.call_tool("get_enrichment", {"id": "0" * 24})
        slow = (await client.call_tool("request_email_enrichment", SLOW)).structured_content
        await _cancelled_wait(client, progress, slow["id"])
        before = len(progress.told)
        again = await _wait(client, slow["id"], 10)
        verdict = {
            "protocol": client.protocol_version,
            "tools": [tool.name for tool in listed.tools],
            "text": json.loads(found.content[0].text),
            "structured": found.structured_content,
            "refused": [refused.is_error, refused.meta["error"]["code"]],
            "unknown_tool": await _code_of_unknown(client),
            "progress": [told[1:] for told in progress.told],
            "waited_again": again.structured_content,
            "late": [told for told in progress.told[before:] if told[0] == progress.told[0][0]],
        }
    print(json.dumps(verdict))


def _started_by(server: dict[str, Any]) -> StdioServerParameters:
    command, *args = server["command"]
    return StdioServerParameters(command=command, args=args, env=server["env"])


async def _cancelled_wait(client: Client, progress: Progress, enrichment_id: str) -> None:
    """Wait until the first progress, then leave: the SDK notifies the server."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_wait, client, enrichment_id, 45)
        await progress.moved.wait()
        tasks.cancel_scope.cancel()


async def _wait(client: Client, enrichment_id: str, seconds: int) -> Any:
    arguments = {"ids": [enrichment_id], "timeout_seconds": seconds}
    return await client.call_tool("wait_for_enrichment", arguments, progress_callback=_heard)


async def _heard(*_progress: Any) -> None:
    """Request progress; each notification also reaches the message handler."""


async def _code_of_unknown(client: Client) -> int | None:
    try:
        await client.call_tool("no_such_tool", {})
    except MCPError as error:
        return error.error.code
    return None


if __name__ == "__main__":
    anyio.run(main, json.loads(sys.argv[1]), sys.argv[2])
