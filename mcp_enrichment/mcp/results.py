"""The one seam to tool results: an answer, or an error with its code, its money and a next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mcp.types import CallToolResult, TextContent

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mcp_enrichment.contract.errors import EnrichmentError

T = TypeVar("T")


def from_output(answer: BaseModel) -> CallToolResult:
    """The answer as structured content and, alike, as text: some clients show only one of them."""
    return CallToolResult(
        content=[TextContent(type="text", text=answer.model_dump_json())],
        structured_content=answer.model_dump(mode="json"),
    )


def from_error(error: EnrichmentError) -> CallToolResult:
    """The error as text for the model and, in `_meta`, as data for programs."""
    return CallToolResult(
        content=[TextContent(type="text", text=error.to_assistant())],
        is_error=True,
        _meta={"error": error_data(error)},
    )


def error_data(error: EnrichmentError) -> dict[str, Any]:
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


def with_ignored_names(result: T, names: list[str]) -> T:
    """The result, which tells in `_meta` the names of arguments that had no effect."""
    if not names or not isinstance(result, CallToolResult):
        return result
    return result.model_copy(update={"meta": (result.meta or {}) | {"ignored_arguments": names}})
