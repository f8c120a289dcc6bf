"""Google ADK with a scripted model: `adk.py SERVER ARGUMENTS` prints the result."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
from google.adk.agents import LlmAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from google.genai import types
from mcp import StdioServerParameters
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.adk.models.llm_request import LlmRequest

TOOL = "request_email_enrichment"


class Scripted(BaseLlm):
    """Calls the tool once, and then returns no text."""

    arguments: dict[str, Any]
    shown: list[Any] = Field(default_factory=list)

    async def generate_content_async(
        self,
        llm_request: LlmRequest,
        stream: bool = False,  # noqa: ARG002 (ADK's signature)
    ) -> AsyncIterator[LlmResponse]:
        if self.shown:
            part = types.Part(text="done")
        else:
            tools = llm_request.config.tools
            self.shown.extend(one for tool in tools for one in tool.function_declarations)
            part = types.Part(function_call=types.FunctionCall(name=TOOL, args=self.arguments))
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


async def main(server: dict[str, Any], arguments: dict[str, Any]) -> None:
    command, *args = server["command"]
    started = StdioServerParameters(command=command, args=args, env=server["env"])
    tools = McpToolset(connection_params=StdioConnectionParams(server_params=started, timeout=100))
    model = Scripted(model="scripted", arguments=arguments)
    runner = InMemoryRunner(agent=LlmAgent(name="a", model=model, tools=[tools]))
    events = await runner.run_debug("hello", quiet=True)
    [answer] = [one.response for event in events for one in event.get_function_responses()]
    await tools.close()
    schemas = {one.name: _schema(one) for one in model.shown}
    print(json.dumps({"schemas": schemas, "answer": answer["content"][0]["text"]}))


def _schema(declared: types.FunctionDeclaration) -> Any:
    shown = declared.model_dump(mode="json", exclude_none=True)
    return shown.get("parameters_json_schema") or shown["parameters"]


if __name__ == "__main__":
    anyio.run(main, *map(json.loads, sys.argv[1:]))
