"""Strands and the Bedrock request that it builds from the tools, which botocore checks:
`strands_bedrock.py SERVER ARGUMENTS` prints the result."""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from botocore.validate import ParamValidator
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from strands.models.bedrock import BedrockModel
from strands.tools.mcp import MCPClient

TOOL = "request_email_enrichment"


def main(server: dict[str, Any], arguments: dict[str, Any]) -> None:
    command, *args = server["command"]
    started = StdioServerParameters(command=command, args=args, env=server["env"])
    with MCPClient(lambda: stdio_client(started), startup_timeout=100) as client:
        specs = [tool.tool_spec for tool in client.list_tools_sync()]
        answer = client.call_tool_sync("call_1", TOOL, arguments)
    shown = [one["toolSpec"] for one in _request(specs)["toolConfig"]["tools"]]
    schemas = {spec["name"]: spec["inputSchema"]["json"] for spec in shown}
    print(json.dumps({"schemas": schemas, "answer": answer["content"][0]["text"]}))


def _request(specs: list[Any]) -> dict[str, Any]:
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    session = boto3.Session(region_name="us-east-1", **keys)
    model = BedrockModel(boto_session=session)
    said = [{"role": "user", "content": [{"text": "hello"}]}]
    request: dict[str, Any] = model.format_request(said, specs)
    takes = model.client.meta.service_model.operation_model("ConverseStream").input_shape
    wrong = ParamValidator().validate(request, takes)
    assert not wrong.has_errors(), wrong.generate_report()
    return request


if __name__ == "__main__":
    main(*map(json.loads, sys.argv[1:]))
