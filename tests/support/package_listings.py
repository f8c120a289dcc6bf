"""Entries about the package for registries and clients, generated from the code."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mcp_enrichment import PROGRAM, __version__
from mcp_enrichment.mcp.http.discovery import DESCRIPTION, REGISTRY_NAME, TITLE
from mcp_enrichment.mcp.tools import TOOLS
from mcp_enrichment.settings import Settings
from mcp_enrichment.settings.types import LogLevel
from mcp_enrichment.setup.clients import CLIENTS, ENTRY
from mcp_enrichment.setup.entry import new_entry

if TYPE_CHECKING:
    from mcp_enrichment.mcp.tools import Tool

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
FROM_THE_INDEX = ("uvx", PROGRAM)
"""The command with which a client starts a server that is not installed."""
FORMATS = {"api_key_file": "filepath", "data_dir": "filepath", "state_dir": "filepath"}
ASKED_FOR = ("api_key", "api_key_file", "api_url", "data_dir", "state_dir", "log_level")
"""The settings of a chat user; the others are an operator's."""


def server_json() -> dict[str, Any]:
    """The entry of the MCP registry."""
    return {
        "$schema": SCHEMA,
        "name": REGISTRY_NAME,
        "title": TITLE,
        "description": DESCRIPTION,
        "version": __version__,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": PROGRAM,
                "version": __version__,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "environmentVariables": [_variable(name) for name in ASKED_FOR],
            }
        ],
    }


def plugin() -> dict[str, Any]:
    """The plugin for Claude Code: the server, and the skill in the folder beside it."""
    command, *arguments = FROM_THE_INDEX
    return {
        "name": PROGRAM,
        "version": __version__,
        "description": DESCRIPTION,
        "author": {"name": "The authors of mcp-enrichment"},
        "license": "MIT",
        "keywords": ["mcp", "email", "enrichment", "linkedin"],
        "mcpServers": {ENTRY: {"command": command, "args": arguments}},
    }


def marketplace() -> dict[str, Any]:
    """The marketplace that offers the plugin: the repository itself."""
    return {
        "name": PROGRAM,
        "owner": {"name": "The authors of mcp-enrichment"},
        "metadata": {"description": TITLE},
        "plugins": [
            {
                "name": PROGRAM,
                "source": "./packaging/claude-plugin",
                "description": DESCRIPTION,
            }
        ],
    }


def manifest() -> dict[str, Any]:
    """The manifest of the bundle for Claude Desktop."""
    return {
        "manifest_version": "0.4",
        "name": PROGRAM,
        "display_name": TITLE,
        "version": __version__,
        "description": DESCRIPTION,
        "author": {"name": "mcp-enrichment maintainers"},
        "license": "MIT",
        "keywords": ["email", "enrichment", "linkedin"],
        "server": {
            "type": "uv",
            "entry_point": "server.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "server.py"],
                "env": {
                    "ENRICHMENT_API_KEY": "${user_config.api_key}",
                    "ENRICHMENT_API_URL": "${user_config.api_url}",
                },
            },
        },
        "tools": [_tool(tool) for tool in TOOLS],
        "user_config": {
            "api_key": _asked("api_key", "API key") | {"sensitive": True},
            "api_url": _asked("api_url", "Server URL"),
        },
        "compatibility": {"platforms": ["darwin", "win32", "linux"]},
    }


def links() -> dict[str, str]:
    """By client, the link that installs the server there."""
    cursor = new_entry(CLIENTS["cursor"], FROM_THE_INDEX, {})
    vscode = {"name": ENTRY} | new_entry(CLIENTS["vscode"], FROM_THE_INDEX, {})
    config = quote(base64.b64encode(_compact(cursor).encode()), safe="")
    inner = f"vscode:mcp/install?{quote(_compact(vscode), safe='')}"
    return {
        "Cursor": f"https://cursor.com/en/install-mcp?name={ENTRY}&config={config}",
        "VS Code": f"https://insiders.vscode.dev/redirect?url={quote(inner, safe='')}",
    }


def links_list() -> str:
    """The links as in the documents."""
    return "\n".join(f"- [Install in {client}]({link})" for client, link in links().items())


def _variable(name: str) -> dict[str, Any]:
    """A setting as the registry describes it."""
    described: dict[str, Any] = {
        "name": f"ENRICHMENT_{name.upper()}",
        "description": Settings.model_fields[name].description,
        "format": FORMATS.get(name, "string"),
        "isRequired": False,
        "isSecret": name == "api_key",
    }
    if name == "log_level":
        described |= {"default": LogLevel.WARNING.value, "choices": [*LogLevel]}
    return described


def _asked(name: str, title: str) -> dict[str, Any]:
    # Without a default the host would pass the placeholder itself on as the value.
    return {
        "type": "string",
        "title": title,
        "description": Settings.model_fields[name].description,
        "required": False,
        "default": "",
    }


def _tool(tool: Tool) -> dict[str, str]:
    return {"name": tool.name, "description": f"{tool.description.split('. ')[0].rstrip('.')}."}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
