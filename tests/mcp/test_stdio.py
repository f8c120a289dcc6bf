"""The server as a process works over its pipes, starts fast and ends cleanly."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest
from mcp import Client, StdioServerParameters

from tests.mcp.faces import ERAS, PATIENT, data_of
from tests.mcp.pipes import LEGACY, environment, handshake, modern, piped

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

NEW_ACCOUNT = {"balance": 250, "spent_today": 0, "budget_left": None, "next_step": None}


async def test_a_client_that_shakes_hands_gets_answers_on_a_clean_stdout(tmp_path: Path) -> None:
    async with piped(tmp_path) as server:
        greeting = await server.ask("initialize", handshake())
        assert greeting["protocolVersion"] == LEGACY
        assert set(greeting["capabilities"]) == {"tools", "resources", "prompts"}
        await server.send('{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        listed = await server.ask("tools/list")
        assert len(listed["tools"]) == 5
        assert max(map(len, server.lines)) <= 11_000, "the size of the whole answer, as it is sent"
        found = await server.ask("tools/call", {"name": "get_credits", "arguments": {}})
        assert found["structuredContent"] == NEW_ACCOUNT
        assert await server.ends() == 0
        assert server.stderr() == ""
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)


async def test_a_client_without_handshake_gets_the_same(tmp_path: Path) -> None:
    async with piped(tmp_path) as server:
        found = await server.ask("server/discover", modern())
        assert set(found["capabilities"]) == {"tools", "resources", "prompts", "extensions"}
        listed = await server.ask("tools/list", modern())
        assert len(listed["tools"]) == 5
        assert max(map(len, server.lines)) <= 11_000
        call = modern(name="get_credits", arguments={})
        answer = await server.ask("tools/call", call)
        assert answer["structuredContent"] == NEW_ACCOUNT
        unknown = await server.ask("tools/call", modern(name="nope", arguments={}))
        assert unknown["code"] == -32602
        assert await server.ends() == 0
        assert server.stderr() == ""


@pytest.mark.parametrize("era", ERAS)
async def test_the_sdks_own_client_works_over_stdio(era: str, tmp_path: Path) -> None:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_enrichment"], env=environment(tmp_path)
    )
    async with Client(command, mode=era) as client:
        assert client.protocol_version == ERAS[era]
        missed = data_of(await client.call_tool("request_email_enrichment", PATIENT))
    assert missed["status"] == "not-found"


async def test_junk_on_stdin_is_survived(tmp_path: Path) -> None:
    async with piped(tmp_path) as server:
        await server.ask("initialize", handshake())
        for junk in ("", "hello", '{"jsonrpc": "2.0"', "[]", '{"id": 5}', "\x00\x01", "é" * 9999):
            await server.send(junk)
        assert len((await server.ask("tools/list"))["tools"]) == 5
        assert await server.ends() == 0
        assert "Traceback" not in server.stderr()


async def test_the_start_pays_for_neither_the_database_nor_the_http_client(tmp_path: Path) -> None:
    async with piped(tmp_path, "-X", "importtime") as server:
        await server.ask("initialize", handshake())
        await server.ask("tools/list")
        assert await server.ends() == 0
    imported = set(re.findall(r"\|\s+([\w.]+)$", server.stderr(), re.MULTILINE))
    assert "mcp_enrichment.mcp.server" in imported
    assert not imported & {"sqlalchemy", "alembic", "httpx", "keyring", "rich", "tomlkit"}
    assert not {name for name in imported if name.startswith("mcp_enrichment.service")}
