"""The app in a chat that is built on the reference implementation of MCP Apps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from playwright.async_api import expect

from mcp_enrichment.settings import Settings
from tests.compat.judges import EXT_APPS
from tests.compat.toolbox import ran
from tests.mcp.faces import face
from tests.support.app_host import app_host, on_the_wire, through
from tests.support.list_service import ListService, hit, miss

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.compat.toolbox import Toolbox
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.compat

ESBUILD = "esbuild@~0.25.0"
APPS = EXT_APPS.rpartition("@")[0]
SCHEMA = "dist/src/generated/schema.json"
PROGRAM = Path(__file__).parent / "clients" / "app_bridge.mjs"
DEFINITIONS = {
    "ui/initialize": "McpUiInitializeRequest",
    "ui/notifications/initialized": "McpUiInitializedNotification",
    "ui/notifications/size-changed": "McpUiSizeChangedNotification",
    "ui/download-file": "McpUiDownloadFileRequest",
    "ui/update-model-context": "McpUiUpdateModelContextRequest",
    "ui/request-display-mode": "McpUiRequestDisplayModeRequest",
}
"""The definition of each message in the schema of the reference implementation."""


@pytest.fixture(scope="module")
def package(tools: Toolbox) -> Path:
    """The folder of the reference implementation."""
    return tools.npm(EXT_APPS, ESBUILD)


@pytest.fixture(scope="module")
def script(tools: Toolbox, package: Path) -> str:
    """The chat's program and what it imports, as one script."""
    copied = shutil.copy(PROGRAM, package)
    esbuild = package / "node_modules" / "esbuild" / "bin" / "esbuild"
    made = ran(str(esbuild), copied, "--bundle", "--format=iife", "--log-level=error")
    assert made.code == 0, made
    return made.out


@pytest.mark.anyio
async def test_a_list_is_found_in_the_reference_chat_with_valid_messages_only(
    browser: Browser, script: str, package: Path, vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(service := ListService(ends=1_000_000))
    settings = Settings(api_url=vendor.url, api_key="a-key", state_dir=tmp_path)
    given: dict[str, Any] = {"linkedin_urls": [hit(2), hit(1), miss(3)], "type": "work"}
    context = {"theme": "dark", "availableDisplayModes": ["inline", "fullscreen"]}
    async with (
        face(settings, "auto") as client,
        app_host(browser, through(client), script=script, context=context) as host,
    ):
        await host.show(given)
        result = await client.call_tool("request_email_enrichments", given | {"wait_seconds": 0})
        await host.show_result(on_the_wire(result))
        await expect(host.app.get_by_text("Searching…")).to_have_count(3)
        service.end("hit-1")
        await expect(host.app.get_by_text("hit-1@example.com")).to_be_visible()
        service.end_all()
        await expect(host.app.get_by_role("heading")).to_have_text("2 of 3 people found")
        await host.app.get_by_role("button", name="Email").click()
        await expect(host.app.get_by_role("cell", name="hit").first).to_contain_text("hit-1")
        await host.app.get_by_label("Show").select_option("completed")
        await host.app.get_by_role("button", name="CSV").click()
        await host.app.get_by_role("button", name="Expand").click()
        await expect(host.app.get_by_role("button", name="Collapse")).to_be_visible()
        [sent] = await host.heard("ui/download-file")
        assert sent["contents"][0]["resource"]["text"].count("\r\n") == 3
        await host.heard("ui/update-model-context")
        said = await host.page.evaluate("heard")
    schema = json.loads((package / "node_modules" / APPS / SCHEMA).read_text("utf-8"))
    methods = {one["method"] for one in said if "method" in one}
    assert methods == {*DEFINITIONS, "tools/call"}
    for one in said:
        if one.get("method") in DEFINITIONS:
            _validate(one, schema, DEFINITIONS[one["method"]])


def _validate(message: dict[str, Any], schema: dict[str, Any], definition: str) -> None:
    assert message["jsonrpc"] == "2.0"
    content = {name: message[name] for name in ("method", "params")}
    jsonschema.validate(content, {"$ref": f"#/$defs/{definition}", "$defs": schema["$defs"]})
