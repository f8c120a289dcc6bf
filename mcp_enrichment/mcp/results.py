"""Converts outputs and errors to tool results, and errors of other methods to protocol errors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, TextContent

from mcp_enrichment.contract.error_logging import UnexpectedError, safe_traceback
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    InvalidArguments,
    PermanentError,
    ServiceUnavailable,
    UnknownEnrichment,
)
from mcp_enrichment.contract.explanation import Explanation
from mcp_enrichment.mcp.arguments import READ_CAP

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pydantic import BaseModel

logger = logging.getLogger(__name__)

T = TypeVar("T")


def from_output(output: BaseModel) -> CallToolResult:
    """The output as structured content, and the same as text: some clients show only one."""
    return CallToolResult(
        content=[TextContent(type="text", text=output.model_dump_json())],
        structured_content=output.model_dump(mode="json"),
    )


def from_error(error: EnrichmentError) -> CallToolResult:
    """The error as text for the model, and in `_meta` as data for programs."""
    return CallToolResult(
        content=[TextContent(type="text", text=error.to_assistant())],
        is_error=True,
        _meta={"error": error_data(error)},
    )


def error_data(error: EnrichmentError) -> dict[str, Any]:
    """The error as data. A program without a model shows the explanation."""
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


def with_ignored_names(result: CallToolResult, names: list[str]) -> CallToolResult:
    """Add the names of ignored arguments to the `_meta` of a tool result."""
    return result.model_copy(update={"meta": (result.meta or {}) | {"ignored_arguments": names}})


async def with_protocol_errors(method: str, work: Awaitable[T]) -> T:
    """Await `work` for at most `READ_CAP` seconds. Raises `MCPError` and nothing else."""
    try:
        with anyio.fail_after(READ_CAP):
            return await work
    except MCPError:
        raise
    except EnrichmentError as error:
        raise _to_mcp_error(error) from error
    except TimeoutError as error:
        raise _to_mcp_error(ServiceUnavailable()) from error
    except Exception as defect:  # noqa: BLE001 (the SDK would log its text)
        logger.error("%s raised %s", method, safe_traceback(defect))  # noqa: TRY400 (without its text)
        raise _to_mcp_error(UnexpectedError()) from None


def _to_mcp_error(error: EnrichmentError) -> MCPError:
    is_callers_fault = isinstance(error, UnknownEnrichment | InvalidArguments)
    code = INVALID_PARAMS if is_callers_fault else INTERNAL_ERROR
    return MCPError(code=code, message=error.to_assistant(), data=error_data(error))


class ToolError(PermanentError):
    """A tool result that is an error, with its explanation."""

    code = "tool_failed"


def structured_content(result: CallToolResult) -> dict[str, Any]:
    """The structured content of a result. Raises `ToolError` if it is an error."""
    if result.is_error:
        fields = (result.meta or {})["error"]["explanation"]
        raise ToolError(Explanation(**fields))
    content: dict[str, Any] = result.structured_content
    return content
