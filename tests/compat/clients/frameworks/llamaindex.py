"""LlamaIndex, which makes models of the schemas: `llamaindex.py SERVER ARGUMENTS` prints the
result."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec

TOOL = "request_email_enrichment"


async def main(server: dict[str, Any], arguments: dict[str, Any]) -> None:
    command, *args = server["command"]
    client = BasicMCPClient(command, args=args, env=server["env"], timeout=100)
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client).to_tool_list_async()}
    answer = await tools[TOOL].acall(**arguments)
    schemas = {name: tool.metadata.get_parameters_dict() for name, tool in tools.items()}
    print(json.dumps({"schemas": schemas, "answer": answer.raw_output.content[0].text}))


if __name__ == "__main__":
    anyio.run(main, *map(json.loads, sys.argv[1:]))
