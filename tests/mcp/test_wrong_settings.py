"""With wrong settings of a chat client, its user reads the reason there, and nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mcp.faces import WORK
from tests.mcp.pipes import handshake, piped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

CALL = {"name": "request_email_enrichment", "arguments": WORK}


@pytest.mark.parametrize(
    "key", ["${ENRICHMENT_API_KEY}", "${user_config.api_key}", "YOUR_API_KEY", '"sk-1234"']
)
async def test_a_key_that_the_client_did_not_fill_in_is_told_in_the_chat_and_sends_nothing(
    key: str, vendor: ScriptedServer, tmp_path: Path
) -> None:
    async with piped(tmp_path, API_URL=vendor.url, API_KEY=key) as server:
        await server.ask("initialize", handshake())
        assert len((await server.ask("tools/list"))["tools"]) == 5
        told = await server.ask("tools/call", CALL)
        assert told["isError"]
        assert told["_meta"]["error"]["code"] == "unauthorized"
        assert told["_meta"]["error"]["charged"] is False
        said = told["content"][0]["text"]
        assert said.startswith("ENRICHMENT_API_KEY: ")
        assert "Nothing was sent" in said
        assert await server.ends() == 2
    assert vendor.seen == []
    assert server.stderr().startswith("Error: ENRICHMENT_API_KEY: ")
    assert key not in said + server.stderr()


async def test_an_empty_field_of_an_extension_is_reported_as_such(tmp_path: Path) -> None:
    async with piped(tmp_path, API_KEY="${user_config.api_key}") as server:
        await server.ask("initialize", handshake())
        said = (await server.ask("tools/call", CALL))["content"][0]["text"]
    assert "field in the extension's settings is empty" in said
    assert "type one space" in said


async def test_a_field_with_one_space_means_that_there_is_no_key(tmp_path: Path) -> None:
    async with piped(tmp_path, API_KEY=" ", API_URL=" ") as server:
        await server.ask("initialize", handshake())
        assert (await server.call("get_credits"))["balance"] == 250


async def test_a_key_file_that_is_missing_and_certificates_that_are_told_at_the_start(
    vendor: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "missing")
    async with piped(tmp_path, API_URL=vendor.url, API_KEY_FILE=missing) as server:
        await server.ask("initialize", handshake())
        assert await server.ends() == 2
    assert "ENRICHMENT_API_KEY_FILE" in server.stderr()
    monkeypatch.setenv("SSL_CERT_FILE", missing)
    async with piped(tmp_path, API_URL=vendor.url, API_KEY="sk-1234") as server:
        await server.ask("initialize", handshake())
        said = (await server.ask("tools/call", CALL))["content"][0]["text"]
        assert await server.ends() == 2
    assert said.startswith("SSL_CERT_FILE names a file that is missing")
    assert said.count("_PROXY") == 0, "it names one cause only"
