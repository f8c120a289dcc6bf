"""google-genai's own converter and caller: `gemini.py SERVER ARGUMENTS` prints the result."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from google.genai import types
from google.genai._adapters import McpToGenAiToolAdapter
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

TOOL = "request_email_enrichment"


async def main(server: dict[str, Any], arguments: dict[str, Any]) -> None:
    command, *args = server["command"]
    started = StdioServerParameters(command=command, args=args, env=server["env"])
    async with stdio_client(started) as streams, ClientSession(*streams) as session:
        await session.initialize()
        adapter = McpToGenAiToolAdapter(session, await session.list_tools())
        declared = [one for tool in adapter.tools for one in tool.function_declarations]
        answer = await adapter.call_tool(types.FunctionCall(name=TOOL, args=arguments))
    schemas = {one.name: one.parameters.model_dump(exclude_none=True) for one in declared}
    print(json.dumps({"schemas": schemas, "answer": answer.content[0].text}))


if __name__ == "__main__":
    anyio.run(main, *map(json.loads, sys.argv[1:]))
