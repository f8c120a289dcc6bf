# /// script
# requires-python = ">=3.11"
# dependencies = ["openai-agents>=0.24,<0.25"]
# ///
"""The OpenAI Agents SDK: an agent that looks an address up.

$ uv run examples/with_openai_agents.py         # a scripted model, offline
$ uv run examples/with_openai_agents.py gpt-5   # a real one, with its key
"""

from __future__ import annotations

import asyncio
import json
import sys

from agents import Agent, Runner, set_tracing_disabled
from agents.mcp import MCPServerStdio
from agents.models.interface import Model
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call
from sample import ARGUMENTS, COMMAND, QUESTION, TOOL, environment_with_contacts


async def ask(model: Model | str, environment: dict[str, str]) -> str:
    """The agent's answer to the question."""
    async with MCPServerStdio(
        params={"command": COMMAND, "args": [], "env": environment},
        # The SDK's default is 5 seconds; a lookup takes longer.
        client_session_timeout_seconds=60,
    ) as server:
        agent = Agent(name="Researcher", model=model, mcp_servers=[server])
        return str((await Runner.run(agent, QUESTION)).final_output)


def tells_the_address(call: ModelCall) -> ModelStep:
    """In place of a model: reads the address out of what the tool returned."""
    (returned,) = [item for item in call.input if item.get("type") == "function_call_output"]
    answer = json.loads(returned["output"][0]["text"])
    return ModelStep(output=[assistant_message(f"It is {answer['email']}.")])


SCRIPT = [
    ModelStep(output=[function_call(TOOL, ARGUMENTS, call_id="1")]),
    ModelStep.respond(tells_the_address),
]

if __name__ == "__main__":
    with environment_with_contacts() as contacts:
        if sys.argv[1:]:
            print(asyncio.run(ask(sys.argv[1], contacts)))
        else:
            set_tracing_disabled(True)  # traces would be sent to OpenAI
            print(asyncio.run(ask(ScriptedModel(SCRIPT), contacts)))
