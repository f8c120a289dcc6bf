"""AutoGen, which makes a model of each schema: `autogen.py SERVER ARGUMENTS` prints the result."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from autogen_core import CancellationToken
from autogen_ext.tools.mcp import StdioServerParams, mcp_server_tools

TOOL = "request_email_enrichment"


async def main(server: dict[str, Any], arguments: dict[str, Any]) -> None:
    command, *args = server["command"]
    started = StdioServerParams(
        command=command, args=args, env=server["env"], read_timeout_seconds=100
    )
    tools = {tool.name: tool for tool in await mcp_server_tools(started)}
    answer = await tools[TOOL].run_json(arguments, CancellationToken())
    schemas = {name: tool.schema["parameters"] for name, tool in tools.items()}
    print(json.dumps({"schemas": schemas, "answer": answer[0].text}))


if __name__ == "__main__":
    anyio.run(main, *map(json.loads, sys.argv[1:]))
