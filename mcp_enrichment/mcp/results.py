"""The one seam to tool results: an answer, or an error with its code, its money and a next step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mcp.types import CallToolResult, TextContent

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


def what_is_wrong(error: ValidationError, known: list[str]) -> str:
    """Which arguments are wrong and why, without their values: those may be personal."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    said = "; ".join(_fault(fault["loc"], fault["type"], fault["msg"]) for fault in faults[:5])
    takes = f"This tool takes: {', '.join(known)}." if known else "This tool takes no arguments."
    return f"{said}. Nothing was sent and nothing charged. {takes}"


def _fault(where: tuple[int | str, ...], kind: str, message: str) -> str:
    name = "".join(c for c in ".".join(map(str, where)) if c.isprintable())[:MAX_NAME]
    if kind == "extra_forbidden":
        return f"There is no argument '{name}'"
    return f"{name}: {message}" if name else message
