"""The service's own OpenAPI 3.1 document, made from the models that it answers with."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from mcp_enrichment import __version__
from mcp_enrichment.contract.models import (
    Credits,
    EnrichmentRequest,
    ErrorBody,
    History,
    WireEnrichment,
)
from mcp_enrichment.contract.paths import CREDITS, ENRICHMENT_ID, ENRICHMENTS, HISTORY
from mcp_enrichment.service.http.reading import MAX_IDEMPOTENCY_KEY

if TYPE_CHECKING:
    from pydantic import BaseModel

_REFERENCE = "#/components/schemas/{model}"
_TAKEN: tuple[type[BaseModel], ...] = (EnrichmentRequest,)
_GIVEN: tuple[type[BaseModel], ...] = (WireEnrichment, Credits, History, ErrorBody)
_REFUSALS = {
    400: "The request is malformed.",
    401: "No API key, or one that is not valid.",
    402: "No credit is available.",
    404: "There is no such request of this team.",
    413: "The body is too long.",
    414: "The path and the query are too long.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key was used with another body.",
    429: "Too many requests with this key; see Retry-After.",
    431: "The headers are too long.",
    503: "The service cannot use its database.",
}


_READ = {"operationId": "getEmailEnrichment", "parameters": {"id": "$response.body#/_id"}}
_NULL_TELLS = {"email"}
"""Of a request that has ended: that there is none."""


@cache
def document() -> dict[str, Any]:
    """The document as a JSON object."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Email enrichment API", "version": __version__},
        "security": [{"apiKey": []}],
        "paths": {
            ENRICHMENTS: {"post": _post()},
            ENRICHMENTS + "/{id}": {"get": _get()},
            CREDITS: {"get": _operation("getEnrichmentCredits", "The balance.", Credits)},
            HISTORY: {"get": _history()},
        },
        "components": {
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": _schemas(),
        },
    }


def _post() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY}
    key = _parameter("Idempotency-Key", "header", text)
    body = {"required": True, "content": _json(EnrichmentRequest)}
    started = _operation(
        "requestEmailEnrichment", "Start a lookup.", WireEnrichment, 201, (400, 402, 413, 415, 422)
    )
    started["responses"]["201"]["links"] = {"asRead": _READ}
    return started | {"parameters": [key], "requestBody": body}


def _get() -> dict[str, Any]:
    named = _parameter("id", "path", {"type": "string", "pattern": ENRICHMENT_ID})
    prefer = _parameter("Prefer", "header", {"type": "string"})
    read = _operation("getEmailEnrichment", "A request as it stands.", WireEnrichment, 200, (404,))
    return read | {"parameters": [named, prefer]}


def _history() -> dict[str, Any]:
    page = {"type": "integer", "minimum": 1, "maximum": 100}
    before = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
    parameters = [_parameter("limit", "query", page), _parameter("before", "query", before)]
    read = _operation("getCreditHistory", "The ledger behind the balance.", History, 200, (400,))
    return read | {"parameters": parameters}


def _operation(
    name: str,
    summary: str,
    model: type[BaseModel],
    status: int = 200,
    refusals: tuple[int, ...] = (),
) -> dict[str, Any]:
    said = {str(status): {"description": summary, "content": _json(model)}}
    for refusal in sorted({*refusals, 401, 414, 429, 431, 503}):
        answer: dict[str, Any] = {"description": _REFUSALS[refusal], "content": _json(ErrorBody)}
        if refusal == 429:  # noqa: PLR2004 (the one with a header of its own)
            answer["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
        said[str(refusal)] = answer
    return {"operationId": name, "summary": summary, "responses": said}


def _parameter(name: str, where: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}


def _schemas() -> dict[str, Any]:
    _, definitions = models_json_schema(
        [(model, "validation") for model in _TAKEN]
        + [(model, "serialization") for model in _GIVEN],
        ref_template=_REFERENCE,
    )
    schemas: dict[str, Any] = definitions["$defs"]
    # The models read leniently what vendors send; what is said here is kept to strictly.
    for schema in schemas.values():
        for name, value in schema["properties"].items() if "properties" in schema else ():
            if name not in schema["required"] and name not in _NULL_TELLS:
                _forbid_null(value)
    schemas["FoundEmail"]["required"] = ["email", "type"]
    return schemas


def _forbid_null(value: dict[str, Any]) -> None:
    # Our models say None for what is left out; on the wire null is neither given nor taken.
    given = [choice for choice in value.pop("anyOf", ()) if choice != {"type": "null"}]
    value.pop("default", None)
    for choice in given:
        value.update(choice)
