"""Chat clients that run without a terminal and without a login, on a model of one's own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compat.toolbox import Toolbox

URL, HOME = "{url}", "{home}"
"""In a value below: the URL of the model, and the home folder."""

OPENCODES_PROVIDER = {
    "npm": "@ai-sdk/openai-compatible",
    "options": {"baseURL": URL, "apiKey": "none"},
    "models": {"scripted": {}},
}
CLINES_PROVIDER = {
    "settings": {
        "provider": "openai-compatible",
        "apiKey": "none",
        "model": "scripted",
        "baseUrl": URL,
    },
    "updatedAt": "2026-01-01T00:00:00.000Z",
    "tokenSource": "manual",
}
"""Without all of these, Cline ignores its file of providers."""


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
    folder: str
    """The folder in the home folder in which `setup` finds its configuration."""
    holds: dict[str, Any] = field(default_factory=dict)
    """The files of that folder before `setup`, with their content."""

    def command(self, tools: Toolbox, home: Path) -> list[str]:
        """The command that asks its model, with the program installed."""
        folder = tools.npm(self.package)
        asks = [word.replace(HOME, str(home)) for word in self.asks]
        return [str(folder / "node_modules" / ".bin" / self.program), *asks]

    def environment(self, tools: Toolbox, home: Path, url: str) -> dict[str, str]:
        """The environment of the program, with nothing of the developer's own."""
        path = os.pathsep.join([str(tools.node.parent), os.environ["PATH"]])
        return {"HOME": str(home), "PATH": path} | _filled_in(self.settings, url)

    def prepare(self, home: Path, url: str) -> None:
        """Write its settings, as they are before `setup`."""
        folder = home / self.folder
        folder.mkdir(parents=True)
        for name, content in _filled_in(self.holds, url).items():
            (folder / name).write_text(json.dumps(content), "utf-8")

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
        folder=".gemini",
        holds={"settings.json": {"security": {"auth": {"selectedType": "gemini-api-key"}}}},
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
        folder=".qwen",
    ),
    ChatProgram(
        client="opencode",
        package="opencode-ai@~1.18.33",
        program="opencode",
        asks=("run", "--model", "loopback/scripted", "Find the address."),
        settings={"OPENCODE_DISABLE_MODELS_FETCH": "1"},
        folder=".config/opencode",
        holds={"opencode.json": {"provider": {"loopback": OPENCODES_PROVIDER}}},
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
        folder=".copilot",
    ),
    ChatProgram(
        client="cline",
        package="cline@~3.0.65",
        program="cline",
        # With a named data folder it leaves no process behind; this is the usual one.
        asks=("--data-dir", f"{HOME}/.cline/data", "Find the address."),
        settings={},
        folder=".cline/data/settings",
        holds={
            "providers.json": {
                "version": 1,
                "lastUsedProvider": "openai-compatible",
                "modes": {},
                "providers": {"openai-compatible": CLINES_PROVIDER},
            }
        },
    ),
)
