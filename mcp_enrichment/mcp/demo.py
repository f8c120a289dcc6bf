"""The demo: a client over stdio calls the server in a process of its own, with sample contacts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import anyio
from mcp import Client, StdioServerParameters

from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.mcp.results import ToolError, structured_content

if TYPE_CHECKING:
    from pathlib import Path

Say = Callable[[str], object]

FOUND_AT_WORK = "https://www.linkedin.com/in/ada-okafor-example"
FOUND_AT_HOME = "https://www.linkedin.com/in/jonas-wei%C3%9F-example"
NOT_FOUND = "https://www.linkedin.com/in/nobody-of-this-name-example"
_LOOKUPS = ((FOUND_AT_WORK, "work"), (FOUND_AT_HOME, "personal"), (NOT_FOUND, "work"))


async def run_demo(folder: Path, say: Say) -> None:
    """Import the sample contacts, then call the tools, and print each step."""
    environment = _environment(folder)
    with as_file(files("mcp_enrichment") / "data" / "Connections.csv") as sample:
        say(f"$ mcp-enrichment contacts import {sample.name}")
        await _import(sample, environment, say)
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_enrichment"], env=environment
    )
    async with Client(server) as client:
        say(f"\n$ mcp-enrichment    (MCP {client.protocol_version} over stdio)")
        await _list_tools(client, say)
        await _call_all(client, say)


async def _import(sample: Path, environment: dict[str, str], say: Say) -> None:
    command = [sys.executable, "-m", "mcp_enrichment", "contacts", "import", str(sample)]
    done = await anyio.run_process(command, env=environment, check=False)
    if done.returncode:
        raise ToolError(_not_imported(done.stderr.decode()))
    say(done.stdout.decode().rstrip())


def _not_imported(stderr: str) -> Explanation:
    return Explanation(
        happened="The sample contacts were not imported.",
        money=NOTHING_DONE,
        for_person=stderr.strip().rpartition("Error: ")[2],  # the command's error message
    )


async def _list_tools(client: Client, say: Say) -> None:
    tools = (await client.list_tools()).tools
    say("tools/list")
    for tool in tools:
        say(f"  {tool.name}: {(tool.description or '').split('. ')[0]}.")


async def _call_all(client: Client, say: Say) -> None:
    await _call(client, say, "get_credits", {})
    for profile, kind in _LOOKUPS:
        arguments = {"linkedin_url": profile, "type": kind}
        answer = await _call(client, say, "request_email_enrichment", arguments)
    await _call(client, say, "get_enrichment", {"id": answer["id"]})
    await _call(client, say, "wait_for_enrichment", {"ids": [answer["id"]]})
    await _call(client, say, "get_credits", {})


async def _call(client: Client, say: Say, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    shown = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    say(f"\n{name}({shown})")
    answer = structured_content(await client.call_tool(name, arguments))
    for key, value in answer.items():
        if value is not None and value != []:
            say(f"  {key}: {value}")
    return answer


def _environment(folder: Path) -> dict[str, str]:
    """This process's environment without the user's settings and key."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ENRICHMENT_")}
    return kept | {
        "ENRICHMENT_DATA_DIR": str(folder / "data"),
        "ENRICHMENT_STATE_DIR": str(folder / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONUTF8": "1",
    }
