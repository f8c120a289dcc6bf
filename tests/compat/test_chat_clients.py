"""After `mcp-enrichment setup`, a chat client shows its model every tool, and can call one."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from mcp_enrichment.mcp.tools import TOOLS
from tests.compat.chat_clients import CHAT_PROGRAMS
from tests.compat.scripted_model import ANSWER, ScriptedModel
from tests.compat.toolbox import ran

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compat.chat_clients import ChatProgram
    from tests.compat.toolbox import Toolbox
    from tests.support.scripted_server import ScriptedServer

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(sys.platform != "linux", reason="the paths are Linux's"),
]

SECONDS = 300


@pytest.mark.anyio
@pytest.mark.parametrize("program", CHAT_PROGRAMS, ids=str)
async def test_after_setup_its_model_is_offered_every_tool_and_told_the_address(
    program: ChatProgram, tools: Toolbox, vendor: ScriptedServer, tmp_path: Path
) -> None:
    vendor.always(model := ScriptedModel())
    home, project = tmp_path / "home", tmp_path / "project"
    project.mkdir()
    program.prepare(home, vendor.url)
    run = partial(ran, cwd=project, seconds=SECONDS)
    bare = program.environment(tools, home, vendor.url)
    command = [sys.executable, "-m", "mcp_enrichment", "setup", program.client]
    written = run(*command, env=bare | {"ENRICHMENT_SANDBOX": "1"})
    assert written.code == 0, written
    asked = partial(run, *program.command(tools, home), env=bare)
    ended = await anyio.to_thread.run_sync(asked)
    assert ended.code == 0, ended
    assert model.offered == {tool.name for tool in TOOLS}, ended
    assert ANSWER in model.results, ended
