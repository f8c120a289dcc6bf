"""A chat in a browser that shows the app, and passes its tool calls on to a test."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_enrichment.mcp import apps
from tests.support.browser import new_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from mcp import Client
    from mcp.types import CallToolResult
    from playwright.async_api import Browser, Frame, FrameLocator, Page, Route

    CallTool = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]

CHAT, APP = "https://chat.example/", "https://app.example/"
SCRIPT = Path(__file__).with_suffix(".js")
CSP = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; connect-src 'none'"
)
"""The default policy of the specification: no network."""
EVERYTHING = {"serverTools": {}, "downloadFile": {}, "updateModelContext": {"text": {}}}
"""The capabilities of a chat that lets the app do all it asks for."""


@dataclass
class AppHost:
    """A running chat with the app in it."""

    page: Page
    call_tool: CallTool
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """The tools that the app has called, with their arguments."""
    outside: list[str] = field(default_factory=list)
    """The URLs that the app has tried to reach."""

    @property
    def app(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    @property
    def frame(self) -> Frame:
        return self.page.frames[1]

    async def heard(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the app's messages with this method, once there is one."""
        has_one = "method => heard.some(one => one.method === method)"
        await self.page.wait_for_function(has_one, arg=method)
        said: list[dict[str, Any]] = await self.page.evaluate("heard")
        return [one.get("params", {}) for one in said if one.get("method") == method]

    async def show(self, given: dict[str, Any], result: dict[str, Any] | None = None) -> None:
        """Show a tool call with these arguments, and its result if it has ended."""
        await self.page.evaluate("given => sendInput(given)", given)
        if result is not None:
            await self.show_result(result)

    async def show_result(self, result: dict[str, Any]) -> None:
        """Show the result of the call whose arguments are shown."""
        await self.page.evaluate("result => sendResult(result)", result)

    async def _call(self, params: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((params["name"], params["arguments"]))
        return await self.call_tool(params["name"], params["arguments"])

    async def _serve(self, route: Route) -> None:
        url = route.request.url
        if url == CHAT:
            await route.fulfill(content_type="text/html", body=_chat())
        elif url == APP:
            headers = {"content-security-policy": CSP}
            await route.fulfill(content_type="text/html", body=apps.page(), headers=headers)
        else:
            self.outside.append(url)
            await route.abort()


def _chat() -> str:
    return (
        "<!doctype html><html lang=en><title>A chat</title><style>iframe{width:100%;border:0}"
        f"body{{margin:0}}</style><iframe title=app sandbox=allow-scripts data-src={APP}></iframe>"
    )


@asynccontextmanager
async def app_host(
    browser: Browser,
    call_tool: CallTool,
    *,
    script: str | None = None,
    capabilities: dict[str, Any] = EVERYTHING,
    context: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[AppHost]:
    """A chat whose app is ready. `script`: of the chat, in place of ours. `options`: of the
    browser's context."""
    profile = await new_context(browser, **options)
    host = AppHost(await profile.new_page(), call_tool)
    await profile.route("**/*", host._serve)
    await host.page.expose_function("callTool", host._call)
    await host.page.goto(CHAT, wait_until="commit")
    await host.page.add_script_tag(content=script or SCRIPT.read_text("utf-8"))
    await host.page.evaluate(
        "settings => connect(settings)",
        {
            "capabilities": capabilities,
            "context": context or {},
        },
    )
    await host.heard("ui/notifications/initialized")
    yield host
    assert host.outside == []
    await profile.close()


def through(client: Client) -> CallTool:
    """Tool calls as a chat passes them on to a server."""

    async def call_tool(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return on_the_wire(await client.call_tool(name, arguments))

    return call_tool


def on_the_wire(result: CallToolResult) -> dict[str, Any]:
    """A result as a chat passes it on to the app."""
    return result.model_dump(mode="json", by_alias=True, exclude_unset=True)
