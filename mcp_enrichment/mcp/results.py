"""The one seam to tool results: an answer, or an error with its code, its money and a next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.types import CallToolResult, TextContent

from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from mcp_enrichment.contract.errors import EnrichmentError

MAX_NAME = 40
"""Characters of an argument's name that an error repeats."""


def of_answer(answer: BaseModel) -> CallToolResult:
    """The answer as structured content and, alike, as text: some clients show only one of them."""
    return CallToolResult(
        content=[TextContent(type="text", text=answer.model_dump_json())],
        structured_content=answer.model_dump(mode="json"),
    )


def of_error(error: EnrichmentError) -> CallToolResult:
    """The error as text for the model and, in `_meta`, as data for programs."""
    return CallToolResult(
        content=[TextContent(type="text", text=error.to_assistant())],
        is_error=True,
        _meta={"error": detail_of(error)},
    )


def detail_of(error: EnrichmentError) -> dict[str, Any]:
    """The error as data for programs; the explanation is what to show where no model reads."""
    return {
        "code": error.code,
        "retryable": error.retryable,
        "retry_after_seconds": error.wait_seconds,
        "charged": error.charged,
        "explanation": {
            "happened": error.explanation.happened,
            "money": error.explanation.money,
            "for_person": error.explanation.for_person,
        },
    }


def what_is_wrong(error: ValidationError, known: list[str]) -> Explanation:
    """Which arguments are wrong and why, without their values: those may be personal."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    said = "; ".join(_fault(fault["loc"], fault["type"], fault["msg"]) for fault in faults[:5])
    takes = f"This tool takes: {', '.join(known)}." if known else "This tool takes no arguments."
    return Explanation(
        happened=f"{said}.",
        money=NOTHING_SENT,
        for_person="Correct what is named and try again.",
        for_assistant=f"Correct it and call again. {takes}",
    )


def _fault(where: tuple[int | str, ...], kind: str, message: str) -> str:
    name = "".join(c for c in ".".join(map(str, where)) if c.isprintable())[:MAX_NAME]
    if kind == "extra_forbidden":
        return f"There is no argument '{name}'"
    return f"{name}: {message}" if name else message
