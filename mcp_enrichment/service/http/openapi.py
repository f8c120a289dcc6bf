"""The service's own OpenAPI 3.1 document."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from mcp_enrichment import __version__
from mcp_enrichment.contract.http import BATCH, BATCH_LIMIT, CREDITS, ENRICHMENTS, HISTORY
from mcp_enrichment.contract.models import (
    IDEMPOTENCY_KEY,
    MAX_BATCH,
    MAX_IDEMPOTENCY_KEY,
    BatchBody,
    BatchRequest,
    Credits,
    EnrichmentBody,
    EnrichmentRequest,
    ErrorBody,
    History,
    NoCreditBody,
)
from mcp_enrichment.service.http.parsing import MAX_BATCH_KEY

if TYPE_CHECKING:
    from pydantic import BaseModel

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
_EVERYWHERE = (401, 414, 429, 431, 503)
_HEADERS = {
    "X-Request-Id": "names this answer in the service's log",
    "RateLimit-Policy": "the quota of the key, after draft-ietf-httpapi-ratelimit-headers-10",
    BATCH_LIMIT: "how many requests a batch may have",
    "RateLimit": "what is left of it, and the seconds until it is full again",
}
_HEADERS_OF: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "the header that the key is expected in"},
    429: {"Retry-After": "seconds, or an HTTP date"},
}
_REPLAYED = "with an Idempotency-Key: `true` if this repeats the first answer"
_APPLIED = "`wait=N`, if Prefer asked for it"
_KEY = "the same key with the same body answers with the first request, with another body 422"
_BATCH_KEY = (
    "of the whole batch: the key of its first request is this one with `.0`, of the second with "
    "`.1` and so on, if a request has none of its own"
)
_PREFER = (
    "RFC 7240 `wait=N`: hold the answer until the request is terminal or N seconds have passed; "
    "the answer then bears `Preference-Applied: wait=N`"
)
_READ = {"operationId": "getEmailEnrichment", "parameters": {"id": "$response.body#/_id"}}
REFERENCE = "#/components/schemas/{model}"
_TAKEN: tuple[type[BaseModel], ...] = (EnrichmentRequest, BatchRequest)
_GIVEN: tuple[type[BaseModel], ...] = (
    *(EnrichmentBody, BatchBody, Credits, History),
    *(ErrorBody, NoCreditBody),
)
_DESCRIPTIONS = {
    "EnrichmentRequest": "The profile whose address is requested, and the type of the address.",
    "BatchRequest": "Several requests in one POST; in the quota of the key each of them counts.",
    "BatchItem": "One of them. Its idempotency_key also works as the header of a POST of its own.",
    "BatchBody": "A result for each request of the batch, in their order.",
    "BatchResult": "The enrichment, with the status 201; or the error, with the status that a POST "
    "of its own would get.",
    "EnrichmentBody": "A request as it stands: the body of the 201, of a poll and of a callback.",
    "FoundEmail": "The address that was found.",
    "Credits": "The balance of the team that owns the key, less what running requests hold.",
    "History": "A page of the ledger, the newest entry first.",
    "HistoryEntry": "One movement of credits.",
    "ErrorBody": "The request was refused: nothing was started and nothing charged.",
    "NoCreditBody": "No credit is free for the request: nothing was started and nothing charged.",
    "ErrorDetail": "A code for programs, and a sentence for people.",
}
"""For integrators; the models' docstrings are for readers of the code."""
_NULL_TELLS = {"email"}
"""Fields whose null has a meaning: the request has no email."""
_NARROWER = {"pattern"}
"""Checks of the models that the contract does not promise."""


@cache
def document() -> dict[str, Any]:
    """The document as a JSON object."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Email enrichment API", "version": __version__},
        "servers": [{"url": "/", "description": "where this document was read"}],
        "security": [{"apiKey": []}],
        "paths": {
            ENRICHMENTS: {"post": _post()},
            BATCH: {"post": _post_batch()},
            ENRICHMENTS + "/{id}": {"get": _get()},
            CREDITS: {"get": _operation("getEnrichmentCredits", "The balance.", Credits)},
            HISTORY: {"get": _history()},
        },
        "components": {
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": schemas(),
        },
    }


def _post() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY}
    key = _parameter("Idempotency-Key", "header", text, _KEY)
    prefer = _parameter("Prefer", "header", {"type": "string"}, _PREFER)
    body = {"required": True, "content": _json(EnrichmentRequest)}
    started = _operation(
        "requestEmailEnrichment", "Start a lookup.", EnrichmentBody, 201, (400, 402, 413, 415, 422)
    )
    accepted = started["responses"]["201"]
    accepted["links"] = {"asRead": _READ}
    accepted["headers"] |= _headers(
        {"Idempotent-Replayed": _REPLAYED, "Preference-Applied": _APPLIED}
    )
    started["responses"]["402"]["content"] = _json(NoCreditBody)
    return started | {"parameters": [key, prefer], "requestBody": body}


def _post_batch() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_BATCH_KEY}
    key = _parameter("Idempotency-Key", "header", text, _BATCH_KEY)
    body = {"required": True, "content": _json(BatchRequest)}
    started = _operation(
        "requestEmailEnrichments",
        f"Start up to {MAX_BATCH} lookups, each with a result of its own.",
        BatchBody,
        200,
        (400, 413, 415),
    )
    return started | {"parameters": [key], "requestBody": body}


def _get() -> dict[str, Any]:
    named = _parameter("id", "path", {"type": "string"})
    prefer = _parameter("Prefer", "header", {"type": "string"}, _PREFER)
    read = _operation("getEmailEnrichment", "A request as it stands.", EnrichmentBody, 200, (404,))
    read["responses"]["200"]["headers"] |= _headers({"Preference-Applied": _APPLIED})
    return read | {"parameters": [named, prefer]}


def _history() -> dict[str, Any]:
    page = {"type": "integer", "minimum": 1, "maximum": 100}
    before = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
    parameters = [
        _parameter("limit", "query", page, "entries of the page, at most"),
        _parameter("before", "query", before, "only entries older than the one of this id"),
    ]
    read = _operation("getCreditHistory", "The ledger behind the balance.", History, 200, (400,))
    return read | {"parameters": parameters}


def _operation(
    name: str,
    summary: str,
    model: type[BaseModel],
    status: int = 200,
    refusals: tuple[int, ...] = (),
) -> dict[str, Any]:
    said = {str(status): _answer(status, summary, model)}
    for refusal in sorted({*refusals, *_EVERYWHERE}):
        said[str(refusal)] = _answer(refusal, _REFUSALS[refusal], ErrorBody)
    return {"operationId": name, "summary": summary, "responses": said}


def _answer(status: int, description: str, model: type[BaseModel]) -> dict[str, Any]:
    headers = _headers(_HEADERS | _HEADERS_OF.get(status, {}))
    return {"description": description, "headers": headers, "content": _json(model)}


def _headers(described: dict[str, str]) -> dict[str, Any]:
    return {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in described.items()
    }


def _parameter(
    name: str, where: str, schema: dict[str, Any], description: str | None = None
) -> dict[str, Any]:
    said = {"name": name, "in": where, "required": where == "path", "schema": schema}
    return said | ({"description": description} if description else {})


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}


def schemas() -> dict[str, Any]:
    """The schemas by the names of their models."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in _TAKEN]
        + [(model, "serialization") for model in _GIVEN],
        ref_template=REFERENCE,
    )
    named: dict[str, Any] = {name: _plain(one) for name, one in definitions["$defs"].items()}
    # The models are lenient with vendors; this document is strict.
    for name, schema in named.items():
        if name in _DESCRIPTIONS:
            schema["description"] = _DESCRIPTIONS[name]
        for field, value in schema.get("properties", {}).items():
            if field not in schema["required"] and field not in _NULL_TELLS:
                _forbid_null(value)
    named["FoundEmail"]["required"] = ["email", "type"]
    item = named["BatchItem"]["properties"]
    item["idempotency_key"]["pattern"] = IDEMPOTENCY_KEY
    del item["callback_url"]["format"]  # only its own result is an error, not the batch
    return named


def _plain(schema: Any) -> Any:
    """The schema without pydantic's titles and docstrings."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        word: {name: _plain(one) for name, one in value.items()}
        if word == "properties"
        else _plain(value)
        for word, value in schema.items()
        if word not in {"title", "description", *_NARROWER}
    }


def _forbid_null(value: dict[str, Any]) -> None:
    # None in our models means absent; over HTTP null is neither sent nor accepted.
    given = [choice for choice in value.pop("anyOf", ()) if choice != {"type": "null"}]
    value.pop("default", None)
    for choice in given:
        value.update(choice)
