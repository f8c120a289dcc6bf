"""/openapi.json contains the contract unchanged, and our additions to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import schemathesis

from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS, HISTORY
from tests.support.keyed_client import create_key, keyed_client
from tests.support.openapi import DOCUMENT
from tests.support.running_service import HIT as FOUND
from tests.support.running_service import FixedSource, RunningService, running_service

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
CHECKED = (
    *("type", "enum", "const", "format", "pattern", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    *("additionalProperties", "propertyNames", "not", "default"),
)
"""Keywords of a schema that are compared; the others are prose."""
OURS = {
    "enrichment-batch-limit",
    "preference-applied",
    "idempotent-replayed",
    "ratelimit",
    "ratelimit-policy",
    "www-authenticate",
    "retry-after",
    "x-request-id",
}
"""Headers that we add to the contract."""


WITH_A_PATTERN = '"name": "id", "in": "path", "required": true, "schema": {"pattern": "x", '


async def served(it: RunningService) -> dict[str, Any]:
    async with keyed_client(it) as http:
        answer = await http.get("/openapi.json")
    assert answer.status_code == 200, "an integrator reads it before there is a key"
    return dict(answer.json())


async def test_nothing_of_the_contract_is_missing_or_changed(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        said = await served(it)
    _hold_to_contract(said)
    assert said["security"] == DOCUMENT["security"]
    schemes = said["components"]["securitySchemes"]
    assert schemes == DOCUMENT["components"]["securitySchemes"]


async def test_the_document_lists_every_kind_of_ledger_entry(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        schemas = (await served(it))["components"]["schemas"]
    assert schemas["HistoryEntry"]["properties"]["kind"]["$ref"].endswith("/LedgerEntryKind")
    assert schemas["LedgerEntryKind"]["enum"] == ["grant", "correct", "hold", "settle", "release"]


async def test_the_comparison_sees_each_kind_of_change(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        said = json.dumps(await served(it))
    for was, now in [
        ('"maxLength": 256', '"maxLength": 100'),
        ('"not-found", ', ""),
        ('"required": ["balance"]', '"required": []'),
        ('"required": ["linkedin_url", "type"]', '"required": ["type", "external_id"]'),
        ('"minimum": 0', '"minimum": 1'),
        ('"enum": ["work_email", "personal_email"], ', ""),
        ('"402"', '"403"'),
        ('"name": "Prefer"', '"name": "Preference"'),
        ('"Retry-After"', '"X-Wait"'),
        ('"name": "id", "in": "path", "required": true, "schema": {', WITH_A_PATTERN),
        ('"minLength": 1,', '"minLength": 1, "pattern": "k",'),
        ('"callback_url": {', '"callback_url": {"maxLength": 2048, '),
        ('"linkedin_url": {"type": "string"}', '"linkedin_url": {"type": "string", "const": "x"}'),
        ("RFC 7240", "RFC 7241"),
    ]:
        assert was in said, was
        changed = json.loads(said.replace(was, now))
        with pytest.raises((AssertionError, KeyError)):
            _hold_to_contract(changed)


async def test_the_document_is_valid_openapi_3_1(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        said = await served(it)
    schemathesis.openapi.from_dict(said).validate()
    with pytest.raises(Exception, match="required"):
        schemathesis.openapi.from_dict(said | {"info": {}}).validate()


async def test_each_answer_has_the_schema_that_is_served_for_it(place: Place) -> None:
    async with running_service(place, FixedSource(FOUND)) as it:
        said = await served(it)
        key = await create_key(it, "ada", credits=1)
        async with keyed_client(it, key) as http:
            asked = {"linkedin_url": "https://www.linkedin.com/in/ada", "type": "work"}
            first = await http.post(ENRICHMENTS, json=asked | {"external_id": "lead"})
            last = await http.get(
                f"{ENRICHMENTS}/{first.json()['_id']}", headers={"prefer": "wait=60"}
            )
            answers = {
                (ENRICHMENTS, "post", "201"): first,
                (ENRICHMENTS + "/{id}", "get", "200"): last,
                (CREDITS, "get", "200"): await http.get(CREDITS),
                (HISTORY, "get", "200"): await http.get(HISTORY),
                (ENRICHMENTS, "post", "402"): await http.post(ENRICHMENTS, json=asked),
            }
    assert last.json()["status"] == "completed"
    for (route, method, status), answer in answers.items():
        assert str(answer.status_code) == status
        declared = said["paths"][route][method]["responses"][status]
        special = {name for name in answer.headers if name in OURS}
        assert special <= {name.lower() for name in declared["headers"]}, (route, status)
        schema = declared["content"]["application/json"]["schema"]
        whole = schema | {"components": said["components"]}
        jsonschema_rs.validator_for(whole).validate(answer.json())


async def test_the_document_speaks_to_who_integrates_and_not_of_our_code(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        said = await served(it)
    text = json.dumps(said["components"])
    assert '"title"' not in text
    assert [word for word in ("lenient", "vendor", "Additive") if word in text] == []
    assert said["servers"] == [{"url": "/", "description": "where this document was read"}]
    for name, schema in said["components"]["schemas"].items():
        assert "description" in schema or "enum" in schema, name
    for methods in said["paths"].values():
        for operation in methods.values():
            named = [one for one in operation.get("parameters", []) if one["name"] != "id"]
            assert all(one["description"] for one in named)
            assert {"WWW-Authenticate", "X-Request-Id"} <= set(
                operation["responses"]["401"]["headers"]
            )


async def test_a_402_says_in_fields_of_its_own_what_is_missing(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        said = await served(it)
        async with keyed_client(it, await create_key(it, "poor", credits=0)) as http:
            asked = {"linkedin_url": "https://www.linkedin.com/in/x-y-z", "type": "work"}
            body = (await http.post(ENRICHMENTS, json=asked)).json()
    declared = said["paths"][ENRICHMENTS]["post"]["responses"]["402"]
    schema = _of(_schema(declared), said)
    assert set(schema["required"]) == {"error", "balance", "required", "how_to_get_more"}
    assert (body["balance"], body["required"]) == (0, 1)
    jsonschema_rs.validator_for(schema | {"components": said["components"]}).validate(body)


def _hold_to_contract(said: Any) -> None:
    for route, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            ours = said["paths"][route][method]
            assert ours["operationId"] == operation["operationId"]
            _parameters(operation, ours, said, where=f"{method} {route}")
            _bodies(operation, ours, said, where=f"{method} {route}")


def _parameters(theirs: Any, ours: Any, said: Any, *, where: str) -> None:
    given = {(one["in"], one["name"]): one for one in ours.get("parameters", [])}
    for one in theirs.get("parameters", []):
        mine = given.pop((one["in"], one["name"]))
        assert mine["required"] == one["required"]
        assert mine.get("description") == one.get("description")
        _same(one["schema"], mine["schema"], said, where=f"{where} {one['name']}")
    assert not [name for name, one in given.items() if one["required"]], (
        "we require a new parameter"
    )


def _bodies(theirs: Any, ours: Any, said: Any, *, where: str) -> None:
    if "requestBody" in theirs:
        assert ours["requestBody"]["required"] == theirs["requestBody"]["required"]
        asked, taken = _schema(theirs["requestBody"]), _schema(ours["requestBody"])
        _same(asked, taken, said, where=where)
        required = _of(asked, DOCUMENT)["required"]
        assert set(_of(taken, said)["required"]) == set(required), (
            "we require a new property, or one less"
        )
    for status, answer in theirs["responses"].items():
        whole = _of(answer, DOCUMENT)
        assert set(whole.get("headers", ())) <= set(ours["responses"][status].get("headers", ()))
        _same(_schema(whole), _schema(ours["responses"][status]), said, where=f"{where} {status}")


def _same(theirs: Any, ours: Any, said: Any, *, where: str) -> None:
    """All of the contract's schema is in ours, down to the last property, and ours adds no
    requirement and no promise to it."""
    theirs, ours = _of(theirs, DOCUMENT), _of(ours, said)
    for word in CHECKED:
        assert ours.get(word) == theirs.get(word), f"{where}: {word}"
    assert set(theirs.get("required", ())) <= set(ours.get("required", ())), where
    for name, schema in theirs.get("properties", {}).items():
        _same(schema, ours["properties"][name], said, where=f"{where}.{name}")
    choices = _choices(theirs, DOCUMENT), _choices(ours, said)
    assert choices[0].keys() == choices[1].keys(), where
    for kind in choices[0]:
        _same(choices[0][kind], choices[1][kind], said, where=f"{where} as {kind}")


def _choices(schema: Any, document: Any) -> dict[str, Any]:
    """The alternatives by their type; if types differ, `oneOf` and `anyOf` are the same."""
    listed = schema.get("oneOf") or schema.get("anyOf") or []
    return {_of(one, document)["type"]: _of(one, document) for one in listed}


def _schema(holder: Any) -> Any:
    return holder["content"]["application/json"]["schema"]


def _of(value: Any, document: Any) -> Any:
    """The value with its reference resolved."""
    while "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found | {name: more for name, more in value.items() if name != "$ref"}
    return value
