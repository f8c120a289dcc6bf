# /// script
# requires-python = ">=3.11"
# dependencies = ["langchain[openai]>=1.2,<2", "langchain-mcp-adapters>=0.3.2,<0.4"]
# ///
"""LangChain and its MCP adapters: an agent that looks an address up.

$ uv run examples/with_langchain.py                # a scripted model, offline
$ uv run examples/with_langchain.py openai:gpt-5   # a real one, with its key
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from sample import ARGUMENTS, COMMAND, QUESTION, TOOL, environment_with_contacts


async def ask(model: BaseChatModel | str, environment: dict[str, str]) -> str:
    """The agent's answer to the question."""
    server = {"transport": "stdio", "command": COMMAND, "args": [], "env": environment}
    client = MultiServerMCPClient({"enrichment": server})
    # One session for the whole run: without it each call would start a server of its own.
    async with client.session("enrichment") as session:
        agent = create_agent(model, await load_mcp_tools(session))
        done = await agent.ainvoke({"messages": [("user", QUESTION)]})
    return str(done["messages"][-1].content)


class Scripted(BaseChatModel):
    """In place of a model: calls the tool, then tells the address that it returned."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, _tools: Sequence[Any], **_options: Any) -> Scripted:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        said = AIMessage("", tool_calls=[{"name": TOOL, "args": ARGUMENTS, "id": "1"}])
        if isinstance(messages[-1], ToolMessage):
            answer = json.loads(messages[-1].content[0]["text"])
            said = AIMessage(f"It is {answer['email']}.")
        return ChatResult(generations=[ChatGeneration(message=said)])


if __name__ == "__main__":
    with environment_with_contacts() as contacts:
        chosen = sys.argv[1] if sys.argv[1:] else Scripted()
        print(asyncio.run(ask(chosen, contacts)))
