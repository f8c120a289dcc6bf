"""The commands serve the console, and the server on stdio does not load it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.cli.commands import Shell
from tests.console.visitor import HERE, form_of, text_of
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@contextmanager
def started(shell: Shell, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = shell.start(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_command_prints_a_link_that_opens_the_console(shell: Shell) -> None:
    with started(shell, "console", "--no-browser") as process:
        assert process.stdout
        link = process.stdout.readline().strip()
        with httpx.Client(timeout=HANG, follow_redirects=True, headers=HERE) as http:
            assert "Go on" in http.get(link).text
            page = http.get(link.partition("/open")[0])
            assert "Lookups waiting" in page.text
            assert "memory" in page.text, "the findings of the doctor"
            assert http.post(link.partition("/console")[0] + "/v1/api/enrichment/email").is_error


def test_a_browser_of_the_terminal_gets_the_page_before_it_ends(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, browser = tmp_path / "pipe", tmp_path / "browser.py"
    os.mkfifo(pipe)
    browser.write_text(
        "import sys, urllib.request\n"
        f"with open({str(pipe)!r}, 'wb') as pipe:\n"
        f"    pipe.write(urllib.request.urlopen(sys.argv[1], timeout={HANG}).read())\n"
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {browser} %s")
    with started(shell, "console"):
        assert "Go on" in pipe.read_text()


def test_the_service_serves_the_console_to_an_operator(shell: Shell) -> None:
    key = shell.run("keys", "create", "--operator").out.strip()
    assert "(operator)" in shell.run("keys", "list").out
    with started(shell, "service", "--port", "0") as process:
        assert process.stderr
        port = process.stderr.readline().split("127.0.0.1:")[1].split()[0]
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            timeout=HANG,
            follow_redirects=True,
            headers=HERE,
        ) as http:
            form = form_of(http.get("/console"), "token")
            page = http.post("/console/sign-in", data=form | {"key": key})
            assert "Lookups waiting" in text_of(page)


def test_the_service_starts_without_a_folder_for_its_state(shell: Shell) -> None:
    shell.folder.joinpath("state").write_text("a file in the place of the folder")
    with started(shell, "service", "--port", "0") as process:
        assert process.stderr
        lines = process.stderr.readline() + process.stderr.readline()
    assert "sessions of the console end with this process" in lines
    assert "Serving on" in lines


def test_a_key_is_made_for_a_team_or_for_an_operator_and_not_for_both(shell: Shell) -> None:
    for arguments in ((), ("acme", "--operator")):
        refused = shell.run("keys", "create", *arguments)
        assert refused.code == 2
        assert "Name a team, or pass --operator." in refused.err


def test_the_server_on_stdio_does_not_load_the_console() -> None:
    program = (
        "import sys, mcp_enrichment.cli, mcp_enrichment.app.client, mcp_enrichment.mcp.server\n"
        "print([m for m in sys.modules if 'jinja2' in m or m.startswith('mcp_enrichment.console')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    assert said.strip() == "[]"
