"""Translates exceptions of httpx and responses that are no success into our errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from pydantic import ValidationError

from mcp_enrichment.contract.errors import (
    BadAnswer,
    CallbackRefused,
    EnrichmentError,
    IdempotencyConflict,
    InsufficientCredits,
    InternalError,
    InvalidArguments,
    InvalidProfileURL,
    OutcomeUnknown,
    RateLimited,
    ServiceUnavailable,
    StorageFailed,
    StorageFault,
    Unauthorized,
    UnknownEnrichment,
)
from mcp_enrichment.contract.http import parse_retry_after
from mcp_enrichment.contract.models import ErrorBody
from mcp_enrichment.net.http import PRE_SEND_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_enrichment.contract.models import BatchResult

UNREADABLE_RESPONSE: tuple[type[Exception], ...] = (httpx.DecodingError, httpx.TooManyRedirects)

BY_STATUS: dict[int, type[EnrichmentError]] = {
    400: InvalidArguments,
    401: Unauthorized,
    402: InsufficientCredits,
    403: Unauthorized,
    408: ServiceUnavailable,
    425: ServiceUnavailable,
    429: RateLimited,
    503: ServiceUnavailable,
}
ABSENT = (404, 410)
CARRIED_OUT = (303, 409)
"""The request was carried out and its result is at another URL (RFC 9110, section 15.4.4), or one
with the same key is being carried out (the draft of `Idempotency-Key`, section 2.7)."""
_BY_CODE: dict[str | None, type[EnrichmentError]] = {
    InvalidProfileURL.code: InvalidProfileURL,
    CallbackRefused.body_code: CallbackRefused,
    IdempotencyConflict.body_code: IdempotencyConflict,
    InternalError.body_code: InternalError,
}
_STORAGE_FAULTS = {fault.value: fault for fault in StorageFault}


def from_exception(error: Exception, *, spends: bool) -> EnrichmentError:
    """Translate an exception of httpx, or of `ssl` and `idna`, which httpx does not wrap.

    `spends`: the request was a POST, which may have arrived.
    """
    if isinstance(error, PRE_SEND_ERRORS):
        return ServiceUnavailable()
    if spends:
        return OutcomeUnknown()
    return BadAnswer() if isinstance(error, UNREADABLE_RESPONSE) else ServiceUnavailable()


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, spends: bool, names_an_id: bool
) -> EnrichmentError:
    """Translate a response that is no success. Of its body only a known code is used."""
    code = _code_in(body)
    retry_after = parse_retry_after(headers.get("retry-after"))
    if status == httpx.codes.SERVICE_UNAVAILABLE and (fault := _STORAGE_FAULTS.get(code)):
        failed = StorageFailed(fault)
        failed.retry_after = retry_after
        return failed
    if spends and code == OutcomeUnknown.code:
        return OutcomeUnknown()
    if code == InternalError.code and not spends:
        return InternalError()
    if by_code := _BY_CODE.get(code):
        return by_code()
    if status in ABSENT:
        return UnknownEnrichment() if names_an_id else BadAnswer()
    return _from_status(status, spends=spends)(retry_after=retry_after)


def error_from_result(result: BatchResult) -> EnrichmentError:
    """Translate the result of one request of a batch that was not accepted."""
    if httpx.codes.is_success(result.status):
        return OutcomeUnknown()  # it was accepted, but its id is lost
    body = result.model_dump_json(include={"error"}).encode()
    return error_from_response(result.status, {}, body, spends=True, names_an_id=False)


def _from_status(status: int, *, spends: bool) -> type[EnrichmentError]:
    if status in BY_STATUS:
        return BY_STATUS[status]
    is_server_error = status >= httpx.codes.INTERNAL_SERVER_ERROR
    if spends and (is_server_error or status in CARRIED_OUT):
        return OutcomeUnknown
    if is_server_error:
        return ServiceUnavailable
    return InvalidArguments if status >= httpx.codes.BAD_REQUEST else BadAnswer


def _code_in(body: bytes) -> str:
    try:
        return ErrorBody.model_validate_json(body).error.code
    except ValidationError:
        return ""
