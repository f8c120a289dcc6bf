"""Agent frameworks, which convert our schemas into the form that their models need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.compat.toolbox import Toolbox

PROGRAMS = Path(__file__).parent / "clients" / "frameworks"
TOGETHER = (
    "autogen-ext[mcp]>=0.7.5,<0.8",
    "google-adk>=2.13,<3",
    "langchain-mcp-adapters>=0.3.2,<0.4",
    "mcpadapt>=0.1.19,<0.2",
    "openai-agents>=0.24,<0.25",
    "smolagents>=1.26,<2",
    "strands-agents>=1.62,<2",
)
"""Their dependencies are compatible, so one environment holds them all."""
ON_THE_NEWEST_SDK = ("google-genai>=3.6,<4", "llama-index-tools-mcp>=0.6,<0.7", "mcp>=2.3,<3")


@dataclass(frozen=True, kw_only=True, slots=True)
class Framework:
    """A framework, and the program that runs its converter and its caller, without a model."""

    program: str
    """Its file in `clients/frameworks/`, without the suffix."""
    title: str
    package: str
    """Its own package, among `packages`."""
    packages: tuple[str, ...] = TOGETHER
    fills_in: bool = False
    """Whether its model must give every argument, optional ones too."""
    makes_models: bool = False
    """Whether it makes a model of each schema and marks optional arguments in its own way."""

    @property
    def requirement(self) -> str:
        """Its own package with its versions."""
        [own] = [one for one in self.packages if one.startswith(f"{self.package}>")]
        return own

    def command(self, tools: Toolbox) -> list[str]:
        """The command that starts the program, with the framework installed."""
        python = tools.python(*self.packages) / "python"
        return [str(python), str(PROGRAMS / f"{self.program}.py")]

    def __str__(self) -> str:
        return self.program


FRAMEWORKS = (
    Framework(
        program="gemini", title="Google Gen AI", package="google-genai", packages=ON_THE_NEWEST_SDK
    ),
    Framework(
        program="llamaindex",
        title="LlamaIndex",
        package="llama-index-tools-mcp",
        packages=ON_THE_NEWEST_SDK,
        makes_models=True,
    ),
    Framework(
        program="openai_strict", title="OpenAI Agents", package="openai-agents", fills_in=True
    ),
    Framework(program="langchain", title="LangChain", package="langchain-mcp-adapters"),
    Framework(program="strands_bedrock", title="Strands", package="strands-agents"),
    Framework(program="adk", title="Google ADK", package="google-adk"),
    Framework(program="smolagents_code", title="smolagents", package="smolagents", fills_in=True),
    Framework(program="autogen", title="AutoGen", package="autogen-ext[mcp]", makes_models=True),
)
