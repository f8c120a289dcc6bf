"""Chat clients that run without a terminal and without a login, on a model of one's own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compat.toolbox import Toolbox

URL = "{url}"
"""In a value below: the URL of the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatProgram:
    """A chat client from npm."""

    client: str
    """Its name for `mcp-enrichment setup`."""
    package: str
    program: str
    asks: tuple[str, ...]
    """The arguments with which it asks its model one question."""
    settings: dict[str, str]
    """Environment variables that name the model."""
    file: str
    """Its configuration in the home folder, where `setup` finds it."""
    holds: dict[str, Any] = field(default_factory=dict)
    """The content of that file before `setup`."""

    def command(self, tools: Toolbox) -> list[str]:
        """The command that asks its model, with the program installed."""
        folder = tools.npm(self.package)
        return [str(folder / "node_modules" / ".bin" / self.program), *self.asks]

    def environment(self, tools: Toolbox, home: Path, url: str) -> dict[str, str]:
        """The environment of the program, with nothing of the developer's own."""
        path = os.pathsep.join([str(tools.node.parent), os.environ["PATH"]])
        return {"HOME": str(home), "PATH": path} | _filled_in(self.settings, url)

    def prepare(self, home: Path, url: str) -> None:
        """Write its configuration, as it is before `setup`."""
        file = home / self.file
        file.parent.mkdir(parents=True)
        if self.holds:
            file.write_text(json.dumps(_filled_in(self.holds, url)), "utf-8")

    def __str__(self) -> str:
        return self.client


def _filled_in(value: dict[str, Any], url: str) -> dict[str, Any]:
    filled: dict[str, Any] = json.loads(json.dumps(value).replace(URL, url))
    return filled


CHAT_PROGRAMS = (
    ChatProgram(
        client="gemini-cli",
        package="@google/gemini-cli@~0.61.0",
        program="gemini",
        # With a named model it does not ask another one first which to use.
        asks=("--model", "gemini-2.5-flash", "--yolo", "--prompt", "Find the address."),
        settings={
            "GEMINI_API_KEY": "none",
            "GOOGLE_GEMINI_BASE_URL": URL,
            # It starts no server in a folder that its user does not trust.
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
        file=".gemini/settings.json",
        holds={"security": {"auth": {"selectedType": "gemini-api-key"}}},
    ),
    ChatProgram(
        client="qwen-code",
        package="@qwen-code/qwen-code@~0.15.10",
        program="qwen",
        asks=("--auth-type", "openai", "--yolo", "Find the address."),
        settings={
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": URL,
            "OPENAI_MODEL": "scripted",
        },
        file=".qwen/settings.json",
    ),
    ChatProgram(
        client="opencode",
        package="opencode-ai@~1.18.33",
        program="opencode",
        asks=("run", "--model", "loopback/scripted", "Find the address."),
        settings={"OPENCODE_DISABLE_MODELS_FETCH": "1"},
        file=".config/opencode/opencode.json",
        holds={
            "provider": {
                "loopback": {
                    "npm": "@ai-sdk/openai-compatible",
                    "options": {"baseURL": URL, "apiKey": "none"},
                    "models": {"scripted": {}},
                }
            }
        },
    ),
    ChatProgram(
        client="copilot-cli",
        package="@github/copilot@~1.0.102",
        program="copilot",
        asks=("--allow-all-tools", "--prompt", "Find the address."),
        settings={
            "COPILOT_OFFLINE": "true",
            "COPILOT_PROVIDER_BASE_URL": URL,
            "COPILOT_MODEL": "scripted",
        },
        file=".copilot/mcp-config.json",
    ),
)
