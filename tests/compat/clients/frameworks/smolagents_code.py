"""smolagents, which refuses a call that lacks an argument or has a null: `smolagents_code.py SERVER
ARGUMENTS` prints the result."""

from __future__ import annotations

import json
import sys
from typing import Any

from mcp import StdioServerParameters
from smolagents import MCPClient
from smolagents.tools import validate_tool_arguments

TOOL = "request_email_enrichment"


def main(server: dict[str, Any], arguments: dict[str, Any]) -> None:
    command, *args = server["command"]
    started = StdioServerParameters(command=command, args=args, env=server["env"])
    adapter = {"connect_timeout": 100}
    with MCPClient(started, adapter, structured_output=False) as tools:
        by_name = {tool.name: tool for tool in tools}
        validate_tool_arguments(by_name[TOOL], arguments)
        answer = by_name[TOOL](**arguments)
    schemas = {name: {"properties": tool.inputs} for name, tool in by_name.items()}
    print(json.dumps({"schemas": schemas, "answer": answer}))


if __name__ == "__main__":
    main(*map(json.loads, sys.argv[1:]))
