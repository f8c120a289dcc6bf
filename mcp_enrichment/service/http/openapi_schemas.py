"""The schemas of the service's OpenAPI document, made from the models that it answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from mcp_enrichment.contract.models import (
    Credits,
    EnrichmentBody,
    EnrichmentRequest,
    ErrorBody,
    History,
    NoCreditBody,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

REFERENCE = "#/components/schemas/{model}"
_TAKEN: tuple[type[BaseModel], ...] = (EnrichmentRequest,)
_GIVEN: tuple[type[BaseModel], ...] = (EnrichmentBody, Credits, History, ErrorBody, NoCreditBody)
_DESCRIPTIONS = {
    "EnrichmentRequest": "Whose address is asked for, and of which kind.",
    "EnrichmentBody": "A request as it stands: the body of the 201, of a poll and of a callback.",
    "FoundEmail": "The address that was found.",
    "Credits": "The balance of the team that owns the key, less what running requests hold.",
    "History": "A page of the ledger, the newest entry first.",
    "HistoryEntry": "One movement of credits.",
    "ErrorBody": "The request was refused: nothing was started and nothing charged.",
    "NoCreditBody": "No credit is free for the request: nothing was started and nothing charged.",
    "ErrorDetail": "A code for programs, and a sentence for people.",
}
"""For whoever integrates; the models' own docstrings are for whoever reads the code."""
_NULL_TELLS = {"email"}
"""Their null means something: that a request has ended without an address."""
_NARROWER = {"pattern"}
"""What the models check and the contract leaves open: nobody is to rely on it."""


def schemas() -> dict[str, Any]:
    """The schemas by the names of their models."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in _TAKEN]
        + [(model, "serialization") for model in _GIVEN],
        ref_template=REFERENCE,
    )
    named: dict[str, Any] = {name: _plain(one) for name, one in definitions["$defs"].items()}
    # The models read leniently what vendors send; what is said here is kept to strictly.
    for name, schema in named.items():
        if name in _DESCRIPTIONS:
            schema["description"] = _DESCRIPTIONS[name]
        for field, value in schema.get("properties", {}).items():
            if field not in schema["required"] and field not in _NULL_TELLS:
                _forbid_null(value)
    named["FoundEmail"]["required"] = ["email", "type"]
    return named


def _plain(schema: Any) -> Any:
    """The schema without what pydantic adds out of our code: titles and docstrings."""
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
    # Our models say None for what is left out; on the wire null is neither given nor taken.
    given = [choice for choice in value.pop("anyOf", ()) if choice != {"type": "null"}]
    value.pop("default", None)
    for choice in given:
        value.update(choice)
