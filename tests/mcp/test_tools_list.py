"""The published tools follow our rules, and equal the committed snapshots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from pydantic_core import PydanticUndefined

from mcp_enrichment.mcp.tools import TOOLS, Tool
from tests.mcp.rewrite_snapshots import FOLDER, committed, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp import Client

pytestmark = pytest.mark.anyio

INPUTS: dict[str, dict[str, Any]] = {
    "request_email_enrichment": {
        "linkedin_url": {"type": "string"},
        "type": {"type": "string", "enum": ["work", "personal"]},
        "callback_url": {"type": "string"},
        "external_id": {"type": "string"},
        "wait_seconds": {"type": "number", "minimum": 0, "maximum": 50},
        "force_refresh": {"type": "boolean"},
    },
    "request_email_enrichments": {
        "linkedin_urls": {"type": "array", "items": {"type": "string"}},
        "type": {"type": "string", "enum": ["work", "personal"]},
        "preview": {"type": "boolean"},
        "max_credits": {"type": "integer", "minimum": 0},
        "wait_seconds": {"type": "number", "minimum": 0, "maximum": 50},
        "external_ids": {"type": "array", "items": {"type": "string"}},
    },
    "get_enrichment": {"id": {"type": "string"}},
    "wait_for_enrichment": {
        "ids": {"type": "array", "items": {"type": "string"}},
        "timeout_seconds": {"type": "number", "minimum": 1, "maximum": 50},
    },
    "get_credits": {},
}
TOLD_IN_WORDS = {
    "external_id": "At most 256 characters",
    "wait_seconds": "0 to 50. Default ",
    "linkedin_urls": "At most 100",
    "preview": "Default false",
    "force_refresh": "Default false",
    "ids": "At most 100",
    "timeout_seconds": "1 to 50. Default 45",
}
"""Some clients cannot convert keywords for these limits, so the description states them."""
REQUIRED = {
    "request_email_enrichment": ["linkedin_url", "type"],
    "request_email_enrichments": ["linkedin_urls", "type"],
    "get_enrichment": ["id"],
    "wait_for_enrichment": ["ids"],
    "get_credits": [],
}
ENRICHMENT = (
    "id, status, is_final, email, type, linkedin_url, external_id, reused, asked_at, "
    "credits_charged, source, verification, checked_at, evidence, next_step"
)
ANSWERS = {
    "request_email_enrichment": ENRICHMENT,
    "request_email_enrichments": "columns, rows, summary, list_id, all_final, next_step",
    "get_enrichment": ENRICHMENT,
    "wait_for_enrichment": "enrichments, all_final, waited_seconds, timeout_applied, next_step",
    "get_credits": "balance, spent_today, budget_left, next_step",
}
SOMETIMES = {"table", "preview"}
"""Left out unless a list is waited for, or previewed."""


async def test_the_whole_list_costs_a_model_at_most_11000_bytes(assistant: Client) -> None:
    listed = await assistant.list_tools()
    sent = listed.model_dump_json(by_alias=True, exclude_none=True)
    assert len(sent.encode()) <= 11_000
    assert [tool.name for tool in listed.tools] == list(INPUTS)


async def test_what_is_advertised_is_what_is_served_and_nothing_else(assistant: Client) -> None:
    if assistant.protocol_version == "2026-07-28":
        offered = (await assistant.session.discover()).capabilities
        extensions = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    else:
        offered = assistant.server_capabilities
        extensions = {}
    assert offered.model_dump(by_alias=True, exclude_none=True) == {
        "tools": {"listChanged": False},
        "resources": {"subscribe": True, "listChanged": False},
        "prompts": {"listChanged": False},
        **extensions,
    }


async def test_the_instructions_reach_the_client(assistant: Client) -> None:
    assert "never construct an address" in str(assistant.instructions)


async def test_a_host_that_searches_for_tools_learns_when_to_search_for_ours(
    assistant: Client,
) -> None:
    """Claude Code reads 2,000 characters of the instructions, and loads the tool that is marked."""
    said = str(assistant.instructions)
    assert len(said) < 2_000
    assert all(name in said for name in INPUTS)
    listed = (await assistant.list_tools()).tools
    marked = [tool.name for tool in listed if (tool.meta or {}).get("anthropic/alwaysLoad")]
    assert marked == ["request_email_enrichment"]


def test_the_tools_are_the_committed_ones() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {tool.name for tool in TOOLS}
    for tool in TOOLS:
        as_it_was = committed(tool.name).read_text("utf-8")
        assert snapshot(tool) == as_it_was, "run `python -m tests.mcp.rewrite_snapshots`"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_keeps_the_rules_of_the_house(tool: Tool) -> None:
    shown = json.loads(snapshot(tool))
    hints = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
    assert set(shown["annotations"]) == set(hints)
    spends = tool.name.startswith("request_")
    assert [shown["annotations"][hint] for hint in hints] == [not spends, False, not spends, True]
    assert shown["description"].strip() == shown["description"]
    for schema in (shown["inputSchema"], shown["outputSchema"]):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        for node in _schemas(schema):
            assert not {"title", "default", "$ref", "$defs", "additionalProperties"} & set(node)
            # Some clients drop or empty a type that is an array.
            assert isinstance(node.get("type", ""), str)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_each_argument_is_described_beside_its_type_in_plain_keywords(tool: Tool) -> None:
    for name, argument in tool.to_mcp().input_schema["properties"].items():
        assert set(argument) <= {"type", "description", "enum", "items", "minimum", "maximum"}
        assert argument["description"]
        assert TOLD_IN_WORDS.get(name, "") in argument["description"]
    for name, field in tool.arguments.model_fields.items():
        assert field.default in (None, PydanticUndefined) or name in TOLD_IN_WORDS
        if name.endswith("_seconds"):
            assert f"Default {field.default}." in str(field.description)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_inputs_and_answers_are_those_of_the_design(tool: Tool) -> None:
    shown = json.loads(snapshot(tool))
    takes = shown["inputSchema"]
    given = takes["properties"].items()
    bare = {name: {k: v for k, v in of.items() if k != "description"} for name, of in given}
    assert bare == INPUTS[tool.name]
    assert takes.get("required", []) == REQUIRED[tool.name]
    answers = [name for name in shown["outputSchema"]["properties"] if name not in SOMETIMES]
    assert ", ".join(answers) == ANSWERS[tool.name]
    assert ", ".join(shown["outputSchema"]["required"]) == ANSWERS[tool.name]


def _schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and all schemas in it; the names of properties are not keywords."""
    if isinstance(schema, list):
        for item in schema:
            yield from _schemas(item)
    if isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            yield from _schemas(list(value.values()) if key == "properties" else value)
