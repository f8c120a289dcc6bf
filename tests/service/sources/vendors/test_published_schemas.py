"""The recorded answers of each vendor match the schema that the vendor publishes.

A file of `schemas/` describes the parts of an answer that we read, as JSON Schema: fields, types,
required fields, allowed words. It is written from the vendor's own document, which it names.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mcp_enrichment.service.sources.base import Hit, Lost
from mcp_enrichment.service.sources.factory import NAMES
from tests.service.sources.vendors.recorded import (
    CASES,
    Case,
    as_recorded,
    vendor_at_scripted_server,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("unhurried")]

PUBLISHED = {
    name: json.loads((Path(__file__).parent / "schemas" / f"{name}.json").read_text("utf-8"))
    for name in sorted(NAMES)
}
DEVIATES = ("changed shape", "undocumented", "a 404 of another making")
"""Prefixes of the names of cases that no vendor documents."""
FEWEST = "fewest fields"


def schema_of(case: Case) -> dict[str, Any] | None:
    """The vendor's published schema of an answer to this request with this status."""
    answers = PUBLISHED[case.vendor]["answers"]
    asks = [case.ask] if case.ask in ("collect", "balance") else [case.ask, "work", "begin"]
    found = (answers.get(f"{ask} {case.status}") for ask in asks)
    return next((schema for schema in found if schema), None)


DOCUMENTED = [case for case in CASES if schema_of(case) and not case.name.startswith(DEVIATES)]


@pytest.mark.parametrize("case", DOCUMENTED, ids=str)
def test_a_recorded_answer_is_one_that_the_vendor_publishes(case: Case) -> None:
    schema = schema_of(case)
    assert schema
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(case.body)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_vendor_has_recorded_answers_and_a_dated_document(
    name: str,
) -> None:
    documented = {case.name for case in DOCUMENTED if case.vendor == name}
    assert "found" in documented
    assert any(name.startswith(FEWEST) for name in documented), "an answer with the fewest fields"
    assert PUBLISHED[name]["source"]
    assert PUBLISHED[name]["read"]


@pytest.mark.parametrize("case", [c for c in CASES if c.name.startswith(FEWEST)], ids=str)
async def test_an_answer_with_the_fewest_fields_that_a_vendor_may_send_is_never_lost(
    case: Case,
) -> None:
    async with vendor_at_scripted_server(case.vendor) as (asked, end):
        end.will(case.answer)
        assert not isinstance(await case.put_to(asked), Lost)


DECISIONS = [
    pytest.param(case, path, id=f"{name}: {path[-1]} of {case.name!r}")
    for name in sorted(NAMES)
    for case_name, *path in PUBLISHED[name]["decisions"]
    for case in CASES
    if (case.vendor, case.name) == (name, case_name)
]


@pytest.mark.parametrize(("case", "path"), DECISIONS)
async def test_every_word_that_a_vendor_publishes_has_a_meaning(
    case: Case, path: list[str | int]
) -> None:
    async with vendor_at_scripted_server(case.vendor) as (asked, end):
        for word in _words(schema_of(case), path):
            end.will(replace(case, body=_with(case.body, path, word)).answer)
            told = as_recorded(await case.put_to(asked))
            assert told != {"lost": "unreadable"}, word


@pytest.mark.parametrize(("case", "path"), DECISIONS)
@pytest.mark.parametrize("word", ["mailbox_gone", "NO SUCH WORD", "?"])
async def test_a_word_that_a_vendor_does_not_publish_is_never_a_hit(
    case: Case, path: list[str | int], word: str
) -> None:
    async with vendor_at_scripted_server(case.vendor) as (asked, end):
        end.will(replace(case, body=_with(case.body, path, word)).answer)
        assert not isinstance(await case.put_to(asked), Hit)


def _with(body: Any, path: list[str | int], word: str | None) -> Any:
    changed = deepcopy(body)
    reduce(getitem, path[:-1], changed)[path[-1]] = word
    return changed


def _words(schema: Any, path: list[str | int]) -> list[str | None]:
    """The allowed values of the schema at this path of an answer."""
    for step in path:
        schema = next((one for one in schema.get("anyOf", ()) if one["type"] == "object"), schema)
        properties = schema.get("properties", {})
        schema = properties.get(step) or schema.get("items") or schema["additionalProperties"]
    words: list[str | None] = schema["enum"]
    return words
