"""JSON schemas as clients see them: pydantic's, without the titles that only cost tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel

_NAMES_ITS_KEYS = {"properties", "$defs"}


def schema_of(
    model: type[BaseModel], mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    """The model's schema (JSON Schema 2020-12)."""
    schema: dict[str, Any] = _untitled(model.model_json_schema(mode=mode))
    for words in (schema, *schema.get("$defs", {}).values()):
        words.pop("description", None)  # our docstrings: they are for whoever reads the code
    return schema


def _untitled(node: Any) -> Any:
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key != "title"}
    return {
        key: {name: _untitled(sub) for name, sub in value.items()}
        if key in _NAMES_ITS_KEYS
        else _untitled(value)
        for key, value in kept.items()
    }
