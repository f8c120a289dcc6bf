"""The page on the HTTP API, from the service's own OpenAPI document."""

from __future__ import annotations

from typing import Any

from mcp_enrichment.service.http.openapi import document
from website.reference.markdown import fields_table, kind, meaning, table


def http_api_page() -> str:
    """Each operation and each schema of `/openapi.json`."""
    api = document()
    said = (
        "# HTTP API\n\n`mcp-enrichment service` serves this API, and its OpenAPI document at "
        "`/openapi.json`. A caller sends a key in the header `x-api-key`. How to start it and make "
        "a key: [MCP over HTTP](http.md). A refusal has the body [ErrorBody](#errorbody)."
    )
    operations = [
        _operation(path, method, one)
        for path, methods in api["paths"].items()
        for method, one in methods.items()
    ]
    schemas = [_schema(name, one) for name, one in api["components"]["schemas"].items()]
    return "\n\n".join([said, *operations, *schemas, ""])


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [f"## {method.upper()} {path}".replace("{", r"\{"), operation["summary"]]
    if "description" in operation:
        parts.append(operation["description"])
    if given := operation.get("parameters"):
        rows = [
            [f"`{one['name']}`", one["in"], kind(one["schema"]), one.get("description", "")]
            for one in given
        ]
        parts.append(table(["parameter", "in", "type", "meaning"], rows))
    if body := operation.get("requestBody"):
        parts.append(f"Body: {_body(body)}.")
    rows = [
        [status, answer["description"], _body(answer), ", ".join(_headers(answer))]
        for status, answer in operation["responses"].items()
    ]
    return "\n\n".join([*parts, table(["status", "meaning", "body", "headers"], rows)])


def _body(of: dict[str, Any]) -> str:
    return ", ".join(kind(one["schema"]) for one in of.get("content", {}).values())


def _headers(answer: dict[str, Any]) -> list[str]:
    return [f"`{name}`" for name in answer.get("headers", {})]


def _schema(name: str, schema: dict[str, Any]) -> str:
    said = schema.get("description", "")
    shown = fields_table(schema) if "properties" in schema else f"{kind(schema)} {meaning(schema)}"
    return "\n\n".join(part for part in (f"### {name}", said, shown.strip()) if part)
