"""The MCP Inspector, which authors of hosts and servers use, finds no fault in the tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.mcp import apps
from tests.compat.judges import INSPECTOR
from tests.compat.toolbox import Ended, Toolbox, ran

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.compat, pytest.mark.parametrize("era", ["legacy", "modern"])]

TOOL_REFUSED = 5
"""The exit code of the inspector if a tool returns an error."""


@pytest.fixture
def inspect(tools: Toolbox, server: dict[str, Any]) -> Callable[..., Ended]:
    """Runs the inspector on the server, with these options."""
    package = tools.npm(INSPECTOR) / "node_modules" / INSPECTOR.rpartition("@")[0]
    inspector = [str(tools.node), str(package / "clients/launcher/build/index.js"), "--cli"]
    if "url" in server:
        where = [server["url"], "--transport", "http"]
    else:
        settings = [f"{name}={value}" for name, value in server["env"].items()]
        where = [*server["command"], *(part for one in settings for part in ("-e", one))]
    return lambda *options: ran(*inspector, *where, *options)


def test_no_host_stumbles_over_a_schema(inspect: Callable[..., Ended], era: str) -> None:
    ended = inspect("--method", "tools/list", "--strict", "--protocol-era", era)
    assert ended.code == 0, ended
    assert ended.err == "", "not even a warning"
    assert len(json.loads(ended.out)["tools"]) == 5


def test_a_tool_can_be_called(inspect: Callable[..., Ended], era: str) -> None:
    call = ["--method", "tools/call", "--protocol-era", era, "--tool-name"]
    ended = inspect(*call, "get_credits")
    assert ended.code == 0, ended
    assert json.loads(ended.out)["structuredContent"]["balance"] == 250
    refused = inspect(*call, "get_enrichment", "--tool-arg", f"id={'0' * 24}")
    assert refused.code == TOOL_REFUSED, refused


def test_the_app_of_two_tools_is_found_with_its_page(
    inspect: Callable[..., Ended], era: str
) -> None:
    options = ["--method", "tools/list", "--app-info", "--advertise-apps"]
    ended = inspect(*options, "--protocol-era", era)
    assert ended.code == 0, ended
    told = [json.loads(line) for line in ended.out.splitlines()]
    found = {one["toolName"]: one for one in told if one["hasApp"]}
    assert set(found) == apps.WITH_APP
    for one in found.values():
        assert one["resourceUri"] == apps.URI
        assert one["resourceMimeType"] == apps.MIME_TYPE
        assert one["csp"] == {}
        assert "resourceError" not in one
