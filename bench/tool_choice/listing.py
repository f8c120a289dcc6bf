"""Installs the servers and asks each for its tools.

A server sees no credentials, an empty home folder and no network, if the system allows that.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

import tasks
from bench.tool_choice.servers import NPM, PYPI, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.types import Tool

    from tests.compat.toolbox import Toolbox

SECONDS = 120
"""For one server to start and answer."""
NO_BUILD = "--no-build"
"""An option of uv: no program of a package runs while it is installed."""
NO_SCRIPTS = "--ignore-scripts"
"""The same for npm."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A tool as a host knows it before it is chosen."""

    server: str
    name: str
    description: str
    arguments: dict[str, str]
    """The description of each argument; empty if it has none."""


def listed(server: str, tool: Tool) -> Listed:
    """The tool with what hosts search."""
    given: dict[str, Any] = tool.input_schema.get("properties") or {}
    arguments = {
        name: str(schema.get("description", "")) if isinstance(schema, dict) else ""
        for name, schema in given.items()
    }
    description = tool.description or ""
    return Listed(server=server, name=tool.name, description=description, arguments=arguments)


def tools_of_others(toolbox: Toolbox) -> list[dict[str, Any]]:
    """The tools of all servers, as JSON values. A server that fails ends the run."""
    found: list[Listed] = []
    with Path(os.devnull).open("w") as log:
        for server, command in _commands(toolbox):
            print(f"asking {server.name}", file=sys.stderr, flush=True)
            found += anyio.run(_asked, server, command, log)
    return [asdict(tool) for tool in found]


def _commands(toolbox: Toolbox) -> Iterator[tuple[Server, list[str]]]:
    node_modules = toolbox.npm(NO_SCRIPTS, *(server.package for server in NPM)) / "node_modules"
    for server in NPM:
        program = str(node_modules / ".bin" / server.program)
        yield server, [str(toolbox.node), program, *server.arguments]
    for server in PYPI:
        folder = toolbox.python(NO_BUILD, server.package, *server.beside)
        yield server, [str(folder / server.program), *server.arguments]


async def _asked(server: Server, command: list[str], log: TextIO) -> list[Listed]:
    program, *arguments = tasks.cut_off(command) if tasks.can_be_cut_off() else command
    tools: list[Listed] = []
    with TemporaryDirectory() as home:
        settings = {"PATH": os.environ["PATH"], "HOME": home} | server.settings
        parameters = StdioServerParameters(command=program, args=arguments, env=settings, cwd=home)
        with anyio.fail_after(SECONDS):
            async with Client(stdio_client(parameters, errlog=log), mode="legacy") as client:
                page = await client.list_tools()
                tools += [listed(server.name, tool) for tool in page.tools]
                while page.next_cursor:
                    page = await client.list_tools(cursor=page.next_cursor)
                    tools += [listed(server.name, tool) for tool in page.tools]
    return tools
