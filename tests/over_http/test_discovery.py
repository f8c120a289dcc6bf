"""A client that knows only the domain finds the server, and the documents keep to their rules.

The rules are those of the schema v1 of server cards, and of the AI Catalog specification 1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest
from pydantic import BaseModel, ConfigDict, Field

from mcp_enrichment import __version__
from tests.over_http.served import Served, served
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
PUBLIC = "https://mcp.example.com/team"
CARD, CATALOG = "application/mcp-server-card+json", "application/ai-catalog+json"
VERSION = r"^\d{4}-\d{2}-\d{2}$"


class Strict(BaseModel):
    """A model that refuses fields that the schema lacks."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Header(Strict):
    name: str
    description: str
    is_required: bool = Field(alias="isRequired")
    is_secret: bool = Field(alias="isSecret")


class Remote(Strict):
    type: Literal["sse", "streamable-http"]
    url: str = Field(pattern=r"^https?://[^\s]+$")
    versions: list[str] = Field(alias="supportedProtocolVersions", min_length=1)
    headers: list[Header]


class Card(Strict):
    schema_url: Literal[
        "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"
    ] = Field(alias="$schema")
    name: str = Field(min_length=3, max_length=200, pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$")
    title: str = Field(min_length=1, max_length=100)
    description: str = Field(min_length=1, max_length=100)
    version: str = Field(max_length=255, pattern=r"^\d+\.\d+\.\d+([-+][\w.+-]+)?$")
    remotes: list[Remote]


class Entry(Strict):
    identifier: str = Field(pattern=r"^urn:air:[a-z0-9.-]+(:[A-Za-z0-9._-]+)+$")
    type: Literal["application/mcp-server-card+json"]
    url: str = Field(pattern=r"^https?://[^\s]+$")


class Catalog(Strict):
    version: Literal["1.0"] = Field(alias="specVersion")
    entries: list[Entry] = Field(min_length=1)


async def document(face: Served, path: str, media_type: str, **headers: str) -> httpx.Response:
    """The answer to a web page of another origin, which has no credential."""
    asked = {"accept": media_type, "origin": "https://page.example", **headers}
    async with httpx.AsyncClient(timeout=HANG) as http:
        return await http.get(f"{face.root}{path}", headers=asked)


async def test_a_client_follows_the_catalog_to_the_card_and_to_the_endpoint(tmp_path: Path) -> None:
    with served(tmp_path, PUBLIC_URL=PUBLIC) as face:
        found = await document(face, "/.well-known/ai-catalog.json", CATALOG)
        [entry] = Catalog.model_validate_json(found.content).entries
        assert entry.url.startswith(PUBLIC), "the proxy strips the path of the public URL"
        answer = await document(face, entry.url.removeprefix(PUBLIC), CARD)
        kept = await document(face, entry.url.removeprefix("https://mcp.example.com"), CARD)
    card = Card.model_validate_json(answer.content)
    assert found.headers["content-type"] == CATALOG
    assert answer.headers["content-type"] == CARD
    assert kept.content == answer.content
    assert card.version == __version__
    [remote] = card.remotes
    assert remote.url == f"{PUBLIC}/mcp"
    assert {"2024-11-05", "2025-11-25", "2026-07-28"} <= set(remote.versions)
    assert [header.is_required for header in remote.headers] == [True]


async def test_a_page_of_any_origin_reads_the_card_and_does_not_read_it_twice(
    tmp_path: Path,
) -> None:
    with served(tmp_path, PUBLIC_URL=PUBLIC) as face:
        first = await document(face, "/mcp/server-card", CARD)
        tag = first.headers["etag"]
        again = await document(face, "/mcp/server-card", CARD, **{"if-none-match": tag})
    assert first.headers["access-control-allow-origin"] == "*"
    assert "max-age=" in first.headers["cache-control"]
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/mcp/server-card", "/.well-known/ai-catalog.json"])
async def test_a_server_without_a_public_url_publishes_nothing(path: str, tmp_path: Path) -> None:
    with served(tmp_path) as face:
        assert (await document(face, path, CARD)).status_code in {403, 404}


async def test_the_operator_chooses_the_paths(tmp_path: Path) -> None:
    paths: dict[str, Any] = {"SERVER_CARD_PATH": "/card", "AI_CATALOG_PATH": "/catalog.json"}
    with served(tmp_path, PUBLIC_URL=PUBLIC, **paths) as face:
        found = await document(face, "/catalog.json", CATALOG)
        [entry] = Catalog.model_validate_json(found.content).entries
        assert entry.url == f"{PUBLIC}/card"
        assert (await document(face, "/card", CARD)).status_code == 200
        assert (await document(face, "/mcp/server-card", CARD)).status_code != 200
