"""The one seam from httpx and HTTP to the tree of errors."""

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
from mcp_enrichment.contract.models import ErrorBody
from mcp_enrichment.contract.retry_after import parse_retry_after
from mcp_enrichment.net.http import PRE_SEND_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_UNREADABLE: tuple[type[Exception], ...] = (httpx.DecodingError, httpx.TooManyRedirects)
"""Failures to understand an answer that did come."""

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
DONE = (303, 409)
"""The request was carried out and its answer is at another address (RFC 9110, section 15.4.4), or
one with the same key is just being carried out (the draft of `Idempotency-Key`, section 2.7)."""
_REFUSALS: dict[str | None, type[EnrichmentError]] = {
    InvalidProfileURL.code: InvalidProfileURL,
    CallbackRefused.body_code: CallbackRefused,
    IdempotencyConflict.body_code: IdempotencyConflict,
    InternalError.body_code: InternalError,
}
_STORAGE_FAULTS = {fault.value: fault for fault in StorageFault}


def from_exception(error: Exception, *, spends: bool) -> EnrichmentError:
    """What a failure of httpx means, or of what lies below it and is let through: `ssl`, `idna`.

    `spends`: the request was a POST, which may have arrived.
    """
    if isinstance(error, PRE_SEND_ERRORS):
        return ServiceUnavailable()
    if spends:
        return OutcomeUnknown()
    return BadAnswer() if isinstance(error, ANSWER_UNREADABLE) else ServiceUnavailable()


def from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, spends: bool, names_an_id: bool
) -> EnrichmentError:
    """What an answer that is no success means. Of its body, only a code that we know is used."""
    code = _code_in(body)
    wait = parse_retry_after(headers.get("retry-after"))
    if status == httpx.codes.SERVICE_UNAVAILABLE and (fault := _STORAGE_FAULTS.get(code)):
        failed = StorageFailed(fault)
        failed.retry_after = wait
        return failed
    if spends and code == OutcomeUnknown.code:
        return OutcomeUnknown()
    if code == InternalError.code and not spends:
        return InternalError()
    if refusal := _REFUSALS.get(code):
        return refusal()
    if status in ABSENT:
        return UnknownEnrichment() if names_an_id else BadAnswer()
    kind = _kind_of(status, spends=spends)
    return kind(retry_after=wait)


def _kind_of(status: int, *, spends: bool) -> type[EnrichmentError]:
    if status in BY_STATUS:
        return BY_STATUS[status]
    if spends and (status >= httpx.codes.INTERNAL_SERVER_ERROR or status in DONE):
        return OutcomeUnknown
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return ServiceUnavailable
    is_refusal = status >= httpx.codes.BAD_REQUEST
    return InvalidArguments if is_refusal else BadAnswer


def _code_in(body: bytes) -> str:
    try:
        return ErrorBody.model_validate_json(body).error.code
    except ValidationError:
        return ""
