"""Parses a request, within limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.contract.models import (
    MAX_BATCH,
    MAX_IDEMPOTENCY_KEY,
    BatchRequest,
    EnrichmentRequest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

M = TypeVar("M", bound=BaseModel)

KEY_HEADER = "x-api-key"
MAX_BODY = 64 * 1024
"""The largest body of one request, in bytes."""
MAX_BATCH_BODY = 256 * 1024
"""The same of a batch."""
MAX_WAIT = 60
"""The longest `Prefer: wait`, in seconds."""
MAX_BATCH_KEY = MAX_IDEMPOTENCY_KEY - len(f".{MAX_BATCH - 1}")
"""Characters of the `Idempotency-Key` of a batch: each request's own key is longer."""
MANY_DIGITS = 9
"""A number with more digits is too large in any case."""

_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*(?:"|$))+')
"""One of a list (RFC 7240, section 2); a comma within quotes does not end it."""
_WAIT = re.compile(
    r'\s*wait\s*=\s*(?P<quote>"?)0*(?P<seconds>[0-9]+)(?P=quote)\s*(;.*)?', re.IGNORECASE
)


def preferred_wait(request: Request) -> int | None:
    """The `wait` of `Prefer` (RFC 7240, section 4.3). A malformed one is ignored; of several the
    first counts."""
    stated = _PREFERENCE.findall(",".join(request.headers.getlist("prefer")))
    wait = next(filter(None, map(_WAIT.fullmatch, stated)), None)
    if wait is None:
        return None
    return MAX_WAIT if len(wait["seconds"]) > MANY_DIGITS else min(int(wait["seconds"]), MAX_WAIT)


def idempotency_key(request: Request, most: int = MAX_IDEMPOTENCY_KEY) -> str | None:
    """The `Idempotency-Key`. Raises `InvalidArguments` if it is empty or longer than `most`
    characters."""
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= most:
        raise _refused(f"An Idempotency-Key has 1 to {most} characters here.")
    return key


def whole_number(
    request: Request, name: str, *, default: int | None, most: int | None = None
) -> int | None:
    """A query parameter that is a whole number from 1. Raises `InvalidArguments`."""
    given = request.query_params.getlist(name)
    if not given:
        return default
    text = given[0] if len(given) == 1 else ""
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < 1 or (most and int(text) > most):
        upto = f" to {most}" if most else ""
        raise _refused(f"{name} must be a whole number from 1{upto}.")
    return int(text)


async def json_body(request: Request, most: int = MAX_BODY) -> bytes:
    """The body. Raises `HTTPException` if it is not JSON, or longer than `most` bytes."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise HTTPException(415)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise HTTPException(413)  # without reading it
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise HTTPException(413)
    except ClientDisconnect:
        raise HTTPException(400) from None  # nobody reads it: the client has disconnected
    return body


def enrichment_request(body: bytes) -> EnrichmentRequest:
    """The enrichment request in the body. Raises `InvalidArguments`."""
    submitted = _parsed(EnrichmentRequest, body)
    _refuse_null(submitted)
    return submitted


def batch_request(body: bytes, key: str | None) -> Sequence[tuple[EnrichmentRequest, str | None]]:
    """The requests of the batch in the body, each with its idempotency key.

    A request without a key of its own gets one from the `key` of the batch: `key.0` is the key of
    the first. Raises `InvalidArguments`.
    """
    items = _parsed(BatchRequest, body).requests
    for place, item in enumerate(items):
        _refuse_null(item, f"requests.{place}.")
    keys = [item.idempotency_key or (key and f"{key}.{i}") for i, item in enumerate(items)]
    given = [key for key in keys if key]
    if len(set(given)) < len(given):
        raise _refused("Two requests of the batch have the same idempotency_key.")
    return [(item.request, key) for item, key in zip(items, keys, strict=True)]


def _parsed(model: type[M], body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refused(f"{_problem(error)}.") from None


def _refuse_null(submitted: EnrichmentRequest, where: str = "") -> None:
    for name in sorted(submitted.model_fields_set):
        if getattr(submitted, name) is None:  # None is how our own models say that it was left out
            raise _refused(f"{where}{name}: null is not allowed.", "Leave it out instead.")


def _refused(happened: str, what_to_do: str = "Correct it and send it again.") -> InvalidArguments:
    return InvalidArguments(
        Explanation(happened=happened, money=NOTHING_DONE, for_person=what_to_do)
    )


def _problem(error: ValidationError) -> str:
    """The place and kind of an error in the body, without its content, which may be personal."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
