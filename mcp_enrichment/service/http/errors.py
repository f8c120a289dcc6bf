"""Translates the service's errors to HTTP responses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.errors import (
    CallbackRefused,
    CommitUnknown,
    EnrichmentError,
    IdempotencyConflict,
    InsufficientCredits,
    InternalError,
    InvalidArguments,
    InvalidProfileURL,
    RateLimited,
    StorageFailed,
    Unauthorized,
    UnknownEnrichment,
)
from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.contract.models import ErrorBody, ErrorDetail, NoCreditBody

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS = {
    InvalidArguments: 400,
    InvalidProfileURL: 400,
    CallbackRefused: 400,
    IdempotencyConflict: 422,
    InsufficientCredits: 402,
    RateLimited: 429,
    Unauthorized: 401,
    UnknownEnrichment: 404,
    StorageFailed: 503,
    CommitUnknown: 500,  # a 503 would mean that nothing was done
    InternalError: 500,
}
"""The status of each error. A test checks that none is missing."""

REQUEST_ID = "X-Request-Id"

_HOW_TO_GET_MORE = "Ask who runs this service for `mcp-enrichment credits grant`."
_FOR_CALLERS = {
    Unauthorized: Explanation(
        happened="The API key is missing or not valid.",
        money=NOTHING_DONE,
        for_person="Send a valid API key in the header x-api-key.",
    ),
    RateLimited: Explanation(
        happened="Too many requests with this key, or from this address without one.",
        money=NOTHING_DONE,
        for_person="Wait as Retry-After says.",
    ),
    InsufficientCredits: Explanation(
        happened="No credit is free: all are spent, or held by requests that still run.",
        money=NOTHING_DONE,
        for_person="Send it again once a credit is free.",
    ),
    UnknownEnrichment: Explanation(
        happened="This team has no request with this id.",
        money="Nothing was charged.",
        for_person="Use an id that this team's own request returned.",
    ),
    CommitUnknown: Explanation(
        happened="The database failed while the request was being saved, so it is not known "
        "whether it was started.",
        money="One credit may have been charged.",
        for_person="Send the same request again with the same Idempotency-Key: that settles it.",
    ),
    InternalError: Explanation(
        happened="The service failed by a defect of its own.",
        money=NOTHING_DONE,
        for_person="Report it with the X-Request-Id.",
    ),
}
"""Explanations for callers, who do not have the operator's settings."""

_OF_HTTP = {
    400: ("malformed_request", "This is not HTTP/1.1 (RFC 9112), or it broke off."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not allow the method."),
    414: ("uri_too_long", "The path and the query are longer than 2 KiB."),
    431: ("headers_too_large", "The headers are longer than 16 KiB."),
    413: ("too_large", "The body is longer than 64 KiB, that of a batch than 256 KiB."),
    415: ("unsupported_media_type", "Send the body as application/json."),
}


def error_response(error: EnrichmentError) -> JSONResponse:
    """The error as the contract's body, under its status."""
    detail = error_detail(error)
    body = ErrorBody(error=detail)
    if isinstance(error, InsufficientCredits):
        body = NoCreditBody(error=detail, balance=0, required=1, how_to_get_more=_HOW_TO_GET_MORE)
    answered = JSONResponse(body.model_dump(), STATUS[type(error)])
    if isinstance(error, Unauthorized):
        answered.headers["WWW-Authenticate"] = f'ApiKey realm="{PROGRAM}", header="x-api-key"'
    if error.retry_after is not None:
        answered.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return answered


def error_detail(error: EnrichmentError) -> ErrorDetail:
    """The code and the sentence for a caller."""
    code = error.body_code or error.code
    if isinstance(error, StorageFailed) and not isinstance(error, CommitUnknown):
        code = error.fault.value
    return ErrorDetail(code=code, message=_explained(error).to_person())


def _explained(error: EnrichmentError) -> Explanation:
    """The explanation for a caller."""
    if isinstance(error, StorageFailed) and not isinstance(error, CommitUnknown):
        return Explanation(
            happened="The service cannot use its database.",
            money=error.explanation.money,
            for_person="Try again later; whoever runs the service finds the cause under this code.",
        )
    return _FOR_CALLERS.get(type(error), error.explanation)


def http_error_response(status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response to an error of HTTP itself."""
    code, message = _OF_HTTP.get(status, ("refused", "The request was refused."))
    return _body(status, code, message, headers)


def defect_response() -> JSONResponse:
    """The response to a bug."""
    return _body(500, "internal_error", "The service failed. Report it with the X-Request-Id.")


def _body(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    body = ErrorBody(error=ErrorDetail(code=code, message=message))
    return JSONResponse(body.model_dump(), status, headers=headers)
