"""Parses the arguments of a call, and explains what is wrong with them in one sentence."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS
from pydantic import ValidationError

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation
from mcp_enrichment.mcp import coercion, elicitation
from mcp_enrichment.mcp.schema import inlined_schema

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from mcp_enrichment.mcp.models import Arguments

MOST_FAULTS = 5
"""Invalid arguments that one sentence names, at most."""
MOST_NAMES = 20
"""Unknown arguments that a result names, at most."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
"""The names that a result repeats: any other text may contain personal data."""
_WITH_ARGUMENTS = {"tools/call", "prompts/get"}
_REPLIES = "inputResponses"
_NO_OBJECT = (
    "The arguments of a call must be a JSON object, such as {}. Nothing was sent and nothing "
    "charged. Send them as an object."
)


async def normalize_arguments(
    ctx: ServerRequestContext[Any, Any], call_next: CallNext
) -> HandlerResult:
    """Middleware: convert what clients send for arguments to an object, and a malformed reply to a
    question to none. The SDK would refuse all else before the handler runs, and not say that
    nothing was charged."""
    if ctx.method in _WITH_ARGUMENTS and ctx.params is not None:
        given = coercion.arguments_object(ctx.params.get("arguments"))
        if not isinstance(given, dict):
            raise MCPError(INVALID_PARAMS, _NO_OBJECT)
        given = {name: value for name, value in given.items() if value is not None}
        params = {**ctx.params, "arguments": given}
        if params.get(_REPLIES) is not None:
            params[_REPLIES] = elicitation.readable_replies(params[_REPLIES])
        ctx = replace(ctx, params=params)
    return await call_next(ctx)


def parse(model: type[Arguments], given: dict[str, Any]) -> Arguments:
    """Validate the arguments. Raises `InvalidArguments`, whose text repeats no value."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidArguments(_what_is_wrong(error, model)) from None


def ignored_names(model: type[Arguments], given: dict[str, Any]) -> list[str]:
    """The names of unknown arguments. Some clients add such arguments.

    Ignoring one costs nothing: the default of each optional argument is the cheaper choice.
    """
    unknown = (name for name in given if name not in model.model_fields)
    return [name for name in unknown if _NAME.fullmatch(name)][:MOST_NAMES]


def _what_is_wrong(error: ValidationError, model: type[Arguments]) -> Explanation:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    said = "; ".join(_fault(fault["loc"], fault["type"], model) for fault in faults[:MOST_FAULTS])
    takes = ", ".join(model.model_fields) or "no arguments"
    return Explanation(
        happened=f"{said}.",
        money=NOTHING_SENT,
        for_person="Correct it and try again.",
        for_assistant=f"Correct it and call again. This tool takes: {takes}.",
    )


def _fault(where: tuple[int | str, ...], kind: str, model: type[Arguments]) -> str:
    schema = _schema(model)["properties"][where[0]]
    wanted = _wanted(schema["items"] if len(where) > 1 else schema)
    name = ".".join(map(str, where))
    if kind == "missing":
        return f"{name} is missing: give {wanted}"
    is_required = model.model_fields[str(where[0])].is_required()
    return f"{name}: give {wanted}{'' if is_required else ', or leave it out'}"


def _wanted(schema: dict[str, Any]) -> str:
    match schema:
        case {"enum": values}:
            wanted = " or ".join(f"'{value}'" for value in values)
        case {"type": "boolean"}:
            wanted = "true or false"
        case {"type": "number", "minimum": least, "maximum": most}:
            wanted = f"a number from {least:g} to {most:g}"
        case {"type": "integer", "minimum": least}:
            wanted = f"a whole number of at least {least}"
        case {"type": "array", "minItems": fewest, "maxItems": most, "items": items}:
            wanted = f"a list of {fewest} to {most} {'ids' if 'pattern' in items else 'texts'}"
        case {"pattern": _}:
            wanted = "one id, as a tool returned it"
        case {"maxLength": longest}:
            wanted = f"a text of at most {longest} characters"
        case _:
            wanted = "a text"
    return wanted


@cache
def _schema(model: type[Arguments]) -> dict[str, Any]:
    return inlined_schema(model, "validation", nulls=False)
