"""JSON schemas as clients see them: pydantic's, in the few words that every client can convert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel

Mode = Literal["validation", "serialization"]

_OF_INPUTS = frozenset(
    ("type", "description", "properties", "required", "items", "enum", "minimum", "maximum")
)
"""The keywords of a published input. The rest is told in words and checked by the model: OpenAI's
strict mode refuses `default` and `maxLength`, Gemini's `additionalProperties`, and it counts
`maxItems` against a limit of all tools together."""
_NULL = {"type": "null"}


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a tool takes, as simple as it can be said; the model itself is stricter."""
    return _simple(inlined_schema(model, "validation", nulls=False))


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a tool answers: a value that may be null is a union with it, as the answer is checked
    against this."""
    return inlined_schema(model, "serialization", nulls=True)


def inlined_schema(model: type[BaseModel], mode: Mode, *, nulls: bool) -> dict[str, Any]:
    """The model's schema (JSON Schema 2020-12), with each definition in the place of its reference,
    and without titles and docstrings. Without `nulls`, an argument that may be null is told by what
    else it may be."""
    schema = model.model_json_schema(mode=mode)
    inlined: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}), nulls=nulls)
    inlined.pop("description", None)  # our docstring: it is for whoever reads the code
    return inlined


def _inlined(schema: dict[str, Any], defs: dict[str, Any], *, nulls: bool) -> dict[str, Any]:
    if "$ref" in schema:
        found = defs[schema["$ref"].rpartition("/")[2]]
        schema = {**found, "description": None} | schema  # a description here, not its docstring
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
