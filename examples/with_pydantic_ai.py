# /// script
# requires-python = ">=3.11"
# dependencies = ["pydantic-ai-slim[mcp,openai]>=2.60,<3"]
# ///
"""pydantic-ai: an agent that looks an address up.

$ uv run examples/with_pydantic_ai.py                # a scripted model, offline
$ uv run examples/with_pydantic_ai.py openai:gpt-5   # a real one, with its key
"""

from __future__ import annotations

import asyncio
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, FunctionModel
from sample import ARGUMENTS, COMMAND, QUESTION, TOOL, environment_with_contacts


async def ask(model: Model | str, environment: dict[str, str]) -> str:
    """The agent's answer to the question."""
    server = MCPToolset(
        StdioTransport(COMMAND, [], env=environment),
        include_instructions=True,  # the server's: do not poll, do not invent addresses
        read_timeout=60,  # longer than the server ever takes for one call
    )
    agent = Agent(model, toolsets=[server])
    async with agent:
        return (await agent.run(QUESTION)).output


def scripted(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """In place of a model: calls the tool, then tells the address that it returned."""
    last = messages[-1].parts[-1]
    if isinstance(last, ToolReturnPart):
        answer = last.model_response_object()
        return ModelResponse(parts=[TextPart(f"It is {answer['email']}.")])
    return ModelResponse(parts=[ToolCallPart(TOOL, ARGUMENTS)])


if __name__ == "__main__":
    with environment_with_contacts() as contacts:
        chosen = sys.argv[1] if sys.argv[1:] else FunctionModel(scripted)
        print(asyncio.run(ask(chosen, contacts)))
