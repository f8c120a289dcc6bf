"""openai-agents with strict schemas: `openai_strict.py SERVER ARGUMENTS` prints the result."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from agents import Agent
from agents.mcp import MCPServerStdio, MCPUtil
from agents.tool_context import ToolContext

TOOL = "request_email_enrichment"


async def main(server: dict[str, Any], arguments: dict[str, Any]) -> None:
    command, *args = server["command"]
    params = {"command": command, "args": args, "env": server["env"]}
    given = json.dumps(arguments)
    context = ToolContext(None, tool_name=TOOL, tool_call_id="call_1", tool_arguments=given)
    async with MCPServerStdio(params, client_session_timeout_seconds=100) as connected:
        tools = await MCPUtil.get_function_tools(connected, True, context, Agent(name="a"))
        by_name = {tool.name: tool for tool in tools}
        answer = await by_name[TOOL].on_invoke_tool(context, given)
    schemas = {name: tool.params_json_schema for name, tool in by_name.items()}
    strict = {name: tool.strict_json_schema for name, tool in by_name.items()}
    print(json.dumps({"schemas": schemas, "strict": strict, "answer": answer["text"]}))


if __name__ == "__main__":
    anyio.run(main, *map(json.loads, sys.argv[1:]))
