"""The answers of the server through the SDK, without its transport."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from mcp_enrichment.mcp.jsonrpc import parse_message
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.mcp.stdio.recorded import HANDSHAKE, MODERN
from tests.mcp.pipes import handshake, modern, request
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.client.scoped import ToolClient

FIRST_REQUESTS = {
    HANDSHAKE: {"initialize": handshake(), "tools/list": {}},
    MODERN: {"server/discover": modern(), "tools/list": modern()},
}
"""The requests whose answers are recorded, by era and in order."""


async def sdk_answers(lines: Sequence[bytes]) -> list[str]:
    """The line that answers each request. The next message is sent after it."""
    server = create_server(_no_client)
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](1)
    answers = []
    async with to_server, from_server, anyio.create_task_group() as tasks:
        tasks.start_soon(server.run, incoming, outgoing, server.create_initialization_options())
        for line in lines:
            message, _ = parse_message(line)
            assert message
            with anyio.fail_after(HANG):
                await to_server.send(SessionMessage(message))
                if isinstance(message, JSONRPCRequest):
                    answer = (await from_server.receive()).message
                    answers.append(answer.model_dump_json(by_alias=True, exclude_unset=True))
        tasks.cancel_scope.cancel()
    return answers


async def record() -> str:
    """The content of the record: the results of the first requests."""
    results = {era: await _results(asked) for era, asked in FIRST_REQUESTS.items()}
    content = {"versions": HANDSHAKE_PROTOCOL_VERSIONS, "results": results}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


async def _results(asked: dict[str, Any]) -> dict[str, Any]:
    lines = [request(1, method, params).encode() for method, params in asked.items()]
    answers = map(json.loads, await sdk_answers(lines))
    return {method: answer["result"] for method, answer in zip(asked, answers, strict=True)}


async def _no_client() -> ToolClient:
    raise NotImplementedError
