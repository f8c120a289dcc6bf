"""langchain-mcp-adapters: `langchain.py SERVER ARGUMENTS` prints the result."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.client import MultiServerMCPClient

TOOL = "request_email_enrichment"


async def main(server: dict[str, Any], arguments: dict[str, Any]) -> None:
    command, *args = server["command"]
    started = {"transport": "stdio", "command": command, "args": args, "env": server["env"]}
    tools = await MultiServerMCPClient({"enrichment": started}).get_tools()
    by_name = {tool.name: tool for tool in tools}
    shown = {name: convert_to_openai_tool(tool, strict=True) for name, tool in by_name.items()}
    answer = await by_name[TOOL].ainvoke(arguments)
    schemas = {name: tool["function"]["parameters"] for name, tool in shown.items()}
    print(json.dumps({"schemas": schemas, "answer": answer[0]["text"]}))


if __name__ == "__main__":
    anyio.run(main, *map(json.loads, sys.argv[1:]))
