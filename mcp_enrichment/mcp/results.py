"""The one seam to tool results: an answer, or an error with its code, its money and a next step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.types import CallToolResult, TextContent

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mcp_enrichment.contract.errors import EnrichmentError

T = TypeVar("T")


def of_answer(answer: BaseModel) -> CallToolResult:
    """The answer as structured content and, alike, as text: some clients show only one of them."""
    return CallToolResult(
        content=[TextContent(type="text", text=answer.model_dump_json())],
        structured_content=answer.model_dump(mode="json"),
    )


def of_error(error: EnrichmentError) -> CallToolResult:
    """The error as a sentence for the model and, in `_meta`, as data for programs."""
    detail = detail_of(error)
    wait = detail["retry_after_seconds"]
    sentence = f"{error} (Wait {wait} seconds first.)" if wait else str(error)
    return CallToolResult(
        content=[TextContent(type="text", text=sentence)], is_error=True, _meta={"error": detail}
    )


def detail_of(error: EnrichmentError) -> dict[str, Any]:
    """The error as data for programs."""
    return {
        "code": error.code,
        "retryable": error.retryable,
        "retry_after_seconds": math.ceil(error.retry_after) if error.retry_after else None,
        "charged": error.charged,
    }


def with_ignored(result: T, names: list[str]) -> T:
    """The result, which tells in `_meta` the names of arguments that had no effect."""
    if not names or not isinstance(result, CallToolResult):
        return result
    return result.model_copy(update={"meta": (result.meta or {}) | {"ignored_arguments": names}})
