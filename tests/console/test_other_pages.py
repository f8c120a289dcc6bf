"""A page of another site or port reads nothing and does nothing in a console that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import Shell
from tests.console.test_browser import opened
from tests.support.scripted_server import ScriptedServer, replies

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

pytestmark = pytest.mark.anyio

PAGE = b"""<iframe id=framed src="CONSOLE"></iframe><iframe name=answer></iframe>
<form target=answer method=post action="CONSOLE/teams/add"><input name=name value=evil>
<input name=credits value=5><input name=token value=0000></form>"""
ATTACKS = """async console => {
    const tried = async (...how) => {
        try { return (await fetch(...how)).type } catch { return "refused" }
    };
    const script = src => new Promise(resolve => {
        const it = Object.assign(document.createElement("script"), {src});
        it.onload = () => resolve("loaded");
        it.onerror = () => resolve("refused");
        document.body.append(it);
    });
    const form = "token=0000&name=evil";
    const answer = document.querySelector("[name=answer]");
    const answered = new Promise(resolve => answer.onload = resolve);
    document.forms[0].submit();
    await answered;
    return [
        await tried(`${console}/contacts`, {credentials: "include"}),
        await tried(`${console}/contacts`, {credentials: "include", mode: "no-cors"}),
        await tried(`${console}/teams/add`, {
            method: "POST", credentials: "include", mode: "no-cors",
            body: new URLSearchParams(form),
        }),
        await script(`${console}/contacts`),
        document.getElementById("framed").contentDocument ? "read" : "refused",
        answer.contentDocument ? "read" : "refused",
    ];
}"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_page_beside_the_console_reads_nothing_and_does_nothing(
    tmp_path: Path, browser: Browser, vendor: ScriptedServer, host: str
) -> None:
    async with opened(Shell(tmp_path), browser) as page:
        console = page.url
        content = PAGE.replace(b"CONSOLE", console.encode())
        vendor.always(replies(200, content, {"content-type": "text/html"}))
        other = await page.context.new_page()
        await other.goto(f"http://{host}:{vendor.port}/")
        assert await other.evaluate(ATTACKS, console) == ["refused"] * 6
        await page.goto(f"{console}/teams")
        assert "Teams and keys" in await page.inner_text("main"), "the session goes on"
        assert "evil" not in await page.inner_text("main")
