"""The entries for the registry and the one-click links are valid, and agree with the code.

The rules are those of the registry's schema of 2025-12-11, and of its further checks.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from pydantic import BaseModel, ConfigDict, Field

from mcp_enrichment import __version__
from mcp_enrichment.settings import Settings
from tests.support.fresh_copy import ROOT
from tests.support.generated_docs import PAGES, PUBLISHED, README, as_file, with_tables
from tests.support.package_listings import SCHEMA, links


class Strict(BaseModel):
    """A model that refuses fields that the schema lacks."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Variable(Strict):
    name: str = Field(pattern=r"^ENRICHMENT_[A-Z_]+$")
    description: str = Field(min_length=1)
    format: str = Field(pattern="^(string|number|boolean|filepath)$")
    is_required: bool = Field(alias="isRequired")
    is_secret: bool = Field(alias="isSecret")
    default: str = ""
    choices: list[str] = []


class Stdio(Strict):
    type: str = Field(pattern="^stdio$")


class Package(Strict):
    registry: str = Field(alias="registryType", pattern="^pypi$")
    identifier: str = Field(pattern="^mcp-enrichment$")
    version: str
    runtime: str = Field(alias="runtimeHint", pattern="^uvx$")
    transport: Stdio
    variables: list[Variable] = Field(alias="environmentVariables")


class Server(Strict):
    schema_url: str = Field(alias="$schema")
    name: str = Field(min_length=3, max_length=200, pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$")
    title: str = Field(min_length=1, max_length=100)
    description: str = Field(min_length=1, max_length=100)
    version: str = Field(max_length=255, pattern=r"^\d+\.\d+\.\d+([-+][\w.+-]+)?$")
    packages: list[Package] = Field(min_length=1)


@pytest.fixture
def server() -> Server:
    return Server.model_validate_json((ROOT / "server.json").read_text("utf-8"))


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.name)
def test_each_entry_is_what_the_code_says(file: Any) -> None:
    assert file.read_text("utf-8") == as_file(PUBLISHED[file]()), "run `python3 tasks.py docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_sections_of_the_documents_are_up_to_date(page: Any) -> None:
    text = page.read_text("utf-8")
    assert with_tables(text) == text, "run `python3 tasks.py docs`"


def test_the_registry_entry_keeps_to_its_rules(server: Server) -> None:
    assert server.schema_url == SCHEMA
    assert server.version == server.packages[0].version == __version__
    known = {f"ENRICHMENT_{name.upper()}" for name in Settings.model_fields}
    assert {variable.name for variable in server.packages[0].variables} <= known


def test_the_key_and_nothing_else_is_a_secret(server: Server) -> None:
    secrets = [variable.name for variable in server.packages[0].variables if variable.is_secret]
    assert secrets == ["ENRICHMENT_API_KEY"]


def test_the_readme_bears_the_name_by_which_the_registry_knows_whose_it_is(server: Server) -> None:
    assert re.findall(r"<!-- mcp-name: (\S+) -->", README.read_text("utf-8")) == [server.name]


def test_the_link_for_cursor_holds_the_entry() -> None:
    url = urlsplit(links()["Cursor"])
    assert (url.scheme, url.netloc, url.path) == ("https", "cursor.com", "/en/install-mcp")
    asked = parse_qs(url.query, strict_parsing=True)
    entry = json.loads(base64.b64decode(asked["config"][0], validate=True))
    assert asked["name"] == ["enrichment"]
    assert entry == {"command": "uvx", "args": ["mcp-enrichment"]}


def test_the_link_for_vs_code_holds_the_entry() -> None:
    url = urlsplit(links()["VS Code"])
    assert (url.scheme, url.netloc, url.path) == ("https", "insiders.vscode.dev", "/redirect")
    (inner,) = parse_qs(url.query, strict_parsing=True)["url"]
    command, _, query = inner.partition("?")
    assert command == "vscode:mcp/install"
    assert json.loads(unquote(query)) == {
        "name": "enrichment",
        "type": "stdio",
        "command": "uvx",
        "args": ["mcp-enrichment"],
    }


def test_the_links_of_the_page_are_these() -> None:
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    assert re.findall(r"\[Install in ([\w ]+)\]\((\S+)\)", page) == list(links().items())
