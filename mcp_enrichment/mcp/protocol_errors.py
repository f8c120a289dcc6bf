"""Errors as protocol errors, for every method but tools/call, whose errors are results."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from mcp_enrichment.contract.error_logging import UnexpectedError, safe_traceback
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    InvalidArguments,
    ServiceUnavailable,
    UnknownEnrichment,
)
from mcp_enrichment.mcp import results
from mcp_enrichment.mcp.models import READ_CAP

if TYPE_CHECKING:
    from collections.abc import Awaitable

logger = logging.getLogger(__name__)

T = TypeVar("T")


async def with_protocol_errors(method: str, work: Awaitable[T]) -> T:
    """What `work` comes to, within the cap of a read. Raises `MCPError` and no other."""
    try:
        with anyio.fail_after(READ_CAP):
            return await work
    except MCPError:
        raise
    except EnrichmentError as error:
        raise to_mcp_error(error) from error
    except TimeoutError as error:
        raise to_mcp_error(ServiceUnavailable()) from error
    except Exception as defect:  # noqa: BLE001 (the SDK would log its text)
        logger.error("%s raised %s", method, safe_traceback(defect))  # noqa: TRY400 (without its text)
        raise to_mcp_error(UnexpectedError()) from None


def to_mcp_error(error: EnrichmentError) -> MCPError:
    """The error with its text as the message, and the same data as a tool's."""
    is_the_callers = isinstance(error, UnknownEnrichment | InvalidArguments)
    code = INVALID_PARAMS if is_the_callers else INTERNAL_ERROR
    return MCPError(code=code, message=error.to_assistant(), data=results.error_data(error))
