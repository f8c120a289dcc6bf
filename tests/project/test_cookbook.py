"""Each recipe of the cookbook works from its first line, and prints what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio.to_thread
import pytest

from tests.support.fresh_copy import ROOT
from tests.support.optional_tools import needs_program
from tests.support.scripted_server import ReceivedRequest, ScriptedServer, replies
from tests.support.waiting import HANG, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.abc import SocketStream

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX systems")

TEXT = (ROOT / "docs" / "cookbook.md").read_text("utf-8")
BEFORE, *SECTIONS = TEXT.split("\n## ")
RECIPES = {title: body for title, _, body in (section.partition("\n") for section in SECTIONS)}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED_FILE = re.compile(r"`([\w-]+\.\w+)`[^`]*\n\n```(?:csv|json)\n(.*?)```", re.DOTALL)
"""A file that the recipe reads: its name, and the content that follows."""
CALLBACKS, TEAM = "Callbacks into n8n", "A team on one machine"
SERVERS = """\
set -o pipefail
mcp-enrichment() {
    case $1 in
    service | serve)
        command mcp-enrichment "$@" --port "$PORT" &
        until (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>&-; do sleep 0.05; done ;;
    *) command mcp-enrichment "$@" ;;
    esac
}
trap 'kill $(jobs -p) 2>&-; wait' EXIT
"""
"""Servers run beside the commands that follow, as in a second terminal."""


class Done(NamedTuple):
    shown: list[str]
    """The output that the page shows."""
    printed: list[str]
    """The output of the blocks before each."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user who has the sample, and files with keys of vendors."""
    for name, value in {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }.items():
        monkeypatch.setenv(name, value)
    sample = tmp_path / "mcp_enrichment" / "data" / "Connections.csv"
    sample.parent.mkdir(parents=True)
    shutil.copy(ROOT / "mcp_enrichment" / "data" / "Connections.csv", sample)
    for vendor in ("prospeo", "hunter", "wiza"):
        (tmp_path / f"{vendor}.key").write_text("a-key")
    return tmp_path


def cook(folder: Path, recipe: str, ports: Mapping[str, int], last: str = "") -> Done:
    """Run the blocks of the recipe in one shell; `ports` replaces those of the page."""
    body = RECIPES[recipe]
    for name, content in NAMED_FILE.findall(body):
        (folder / name).write_text(_moved(content, ports), "utf-8")
    script, shown = [SERVERS], []
    for kind, code in BLOCK.findall(BEFORE + body):
        if kind == "console":
            lines = [line.removeprefix("$ ") for line in code.splitlines()]
            script.append("\n".join(f"{{ {line}\n}} >>out || exit" for line in lines))
        elif kind == "python" and recipe != CALLBACKS:
            script.append(f"python - >>out <<'PYTHON' || exit\n{code}PYTHON")
        elif kind == "text":
            script.append(f"mv out out.{len(shown)}")
            shown.append(code)
    text = _moved("\n".join([*script, last]), ports)
    env = os.environ | {"PORT": str(next(iter(ports.values()), 0))}
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder, env=env, capture_output=True, text=True,
        check=False, timeout=HANG,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = [(folder / f"out.{place}").read_text("utf-8") for place in range(len(shown))]
    return Done(shown, printed)


def _moved(text: str, ports: Mapping[str, int]) -> str:
    for port, free in ports.items():
        text = text.replace(port, str(free))
    return text


def test_there_are_ten_recipes() -> None:
    assert len(RECIPES) == 10
    assert {kind for kind, _ in BLOCK.findall(TEXT)} <= {
        *("console", "text", "python"),  # run, compared
        *("csv", "json", "ini"),  # files that they read
    }


@pytest.mark.parametrize("recipe", [title for title in RECIPES if title not in (CALLBACKS, TEAM)])
def test_each_recipe_prints_what_the_page_shows(folder: Path, recipe: str) -> None:
    done = cook(folder, recipe, {})
    assert done.shown
    for shown, printed in zip(done.shown, done.printed, strict=True):
        assert f"\n{printed}".endswith(f"\n{shown}")


@pytest.mark.anyio
async def test_a_callback_arrives_and_the_page_verifies_its_signature(
    folder: Path, vendor: ScriptedServer
) -> None:
    needs_program("curl")

    async def note(stream: SocketStream, seen: ReceivedRequest) -> None:
        await replies()(stream, seen)
        (folder / "arrived").touch()

    vendor.will(note)
    ports = {"8700": free_port(), "5678": vendor.port}
    last = "mcp-enrichment teams secret crm >secret; until [ -e arrived ]; do sleep 0.1; done"
    await anyio.to_thread.run_sync(cook, folder, CALLBACKS, ports, last)
    [callback] = vendor.seen
    assert callback.path == "/webhook/enrichment"
    assert callback.json["external_id"] == "lead-17"
    assert callback.json["email"]["email"] == "ada.okafor@example.com"
    [code] = [code for kind, code in BLOCK.findall(RECIPES[CALLBACKS]) if kind == "python"]
    page: dict[str, Any] = {}
    exec(code, page)
    secret = (folder / "secret").read_text().split()[0]
    assert page["is_ours"](secret, callback.headers, callback.body)
    assert not page["is_ours"](secret, callback.headers, callback.body + b" ")


def test_a_teams_server_is_up_and_starts_with_the_machine(folder: Path) -> None:
    needs_program("curl")
    cook(folder, TEAM, {"8701": free_port()})
    blocks = BLOCK.findall(RECIPES[TEAM])
    unit = RawConfigParser(strict=False)
    unit.read_string("".join(code for kind, code in blocks if kind == "ini"))
    started = unit["Service"]["ExecStart"].removeprefix("/usr/local/bin/")
    assert f"$ {started}\n" in blocks[0][1]
