"""Markdown tables, and JSON schemas in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Schema = dict[str, Any]

BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches `{}`",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A bar in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def fields_table(schema: Schema) -> str:
    """The properties of an object."""
    required = schema.get("required", ())
    return table(
        ["field", "type", "required", "meaning"],
        [
            [f"`{name}`", kind(one), "yes" if name in required else "no", meaning(one)]
            for name, one in schema.get("properties", {}).items()
        ],
    )


def kind(schema: Schema) -> str:
    """The type of a value: a name, a list of values, or a link to the schema that it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {kind(schema['items'])}" if "items" in schema else "list"
    of = schema.get("type", "any")
    named = " or ".join(of) if isinstance(of, list) else of
    return f"{named} ({schema['format']})" if "format" in schema else named


def meaning(schema: Schema) -> str:
    """What a value means, and its bounds."""
    said = [schema["description"]] if "description" in schema else []
    bounds = [text.format(schema[word]) for word, text in BOUNDS.items() if word in schema]
    return " ".join([*said, *([f"({', '.join(bounds)})"] if bounds else [])])
