"""The published JSON schemas: pydantic's, reduced to the keywords that every client can convert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel

Mode = Literal["validation", "serialization"]

_OF_INPUTS = frozenset(
    ("type", "description", "properties", "required", "items", "enum", "minimum", "maximum")
)
"""The keywords of an input schema. Descriptions state the rest, and the model checks it: OpenAI's
strict mode refuses `default` and `maxLength`, Gemini refuses `additionalProperties` and counts
`maxItems` towards a limit for all tools together."""
_NULL = {"type": "null"}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's arguments. The model is stricter."""
    return _simple(inlined_schema(model, "validation", nulls=False))


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's output. A value that may be null is a union with null, because clients
    validate the output."""
    return inlined_schema(model, "serialization", nulls=True)


def inlined_schema(model: type[BaseModel], mode: Mode, *, nulls: bool) -> dict[str, Any]:
    """The model's schema (JSON Schema 2020-12) with inlined definitions, without titles and
    docstrings. Without `nulls`, unions with null are reduced to the other member."""
    schema = model.model_json_schema(mode=mode)
    inlined: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}), nulls=nulls)
    inlined.pop("description", None)  # the docstring is for readers of the code
    return inlined


def _inlined(schema: dict[str, Any], defs: dict[str, Any], *, nulls: bool) -> dict[str, Any]:
    if "$ref" in schema:
        found = defs[schema["$ref"].rpartition("/")[2]]
        schema = {**found, "description": None} | schema  # its docstring is no description
    if not nulls and _NULL in schema.get("anyOf", ()):
        [schema_of_value] = [one for one in schema["anyOf"] if one != _NULL]
        schema = {**schema_of_value, **schema, "anyOf": None}
    dropped = {"title", "$ref"} | {key for key, value in schema.items() if value is None}
    return {
        key: _within(key, value, defs, nulls=nulls)
        for key, value in schema.items()
        if key not in dropped
    }


def _within(key: str, value: Any, defs: dict[str, Any], *, nulls: bool) -> Any:
    if key == "properties":
        return {name: _inlined(of, defs, nulls=nulls) for name, of in value.items()}
    if key == "anyOf":
        return [_inlined(of, defs, nulls=nulls) for of in value]
    return _inlined(value, defs, nulls=nulls) if key == "items" else value


def _simple(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key in _OF_INPUTS}
    if "properties" in kept:
        kept["properties"] = {name: _simple(of) for name, of in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = {"type": kept["items"]["type"]}
    return kept
