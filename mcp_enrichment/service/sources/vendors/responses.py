"""Responses of vendors: their models, and the words in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import httpx
from pydantic import AliasPath, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mcp_enrichment.contract.models import Verification
from mcp_enrichment.service.sources.base import Unavailable

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

Credits = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
CREDITS: TypeAdapter[float] = TypeAdapter(Credits)
One = Annotated[list[T], Field(min_length=1, max_length=1)]
"""The records of a request about one person."""

_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_SEPARATORS = re.compile(r"[\s_-]+")

_UNDELIVERABLE = "bounced invalid invalid_domain no_mx not_found undeliverable"
_IMPERSONAL = "abuse disposable do_not_mail role spamtrap"


class UnreadableResponse(Exception):
    """The response has a schema that this version does not know. The error quotes none of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorResponse:
    """A response. `body` is None if it is not JSON, or too large."""

    status: int
    retry_after: float | None
    """Seconds to wait before another attempt, as the headers say."""
    body: Any
    headers: Mapping[str, str]

    @property
    def is_accepted(self) -> bool:
        """Whether the status is 202: there is no result yet."""
        return self.status == httpx.codes.ACCEPTED

    def parse(self, model: type[M], part: object = None) -> M:
        """The body, or this part of it, as the model. Raises `UnreadableResponse`."""
        try:
            return model.model_validate(self.body if part is None else part)
        except ValidationError:
            raise UnreadableResponse from None

    def timed(self, outcome: T) -> T | Unavailable:
        """The outcome; with the wait that the headers state, if it is `Unavailable`."""
        is_wait = isinstance(outcome, Unavailable)
        return Unavailable(retry_after=self.retry_after) if is_wait else outcome


StatusMap = Mapping[str, Verification | None]
"""The meaning of a vendor's normalized status words; None: the address is not usable."""


def statuses(unusable: str = "", /, **words: str) -> StatusMap:
    """The status words, separated by spaces, of each `Verification` and of an unusable address.

    At any vendor some words mean that an address is undeliverable, or not a person's.
    """
    known = f"{_UNDELIVERABLE} {_IMPERSONAL} {unusable}"
    stated = {word: Verification[name.upper()] for name in words for word in words[name].split()}
    return dict.fromkeys(known.split()) | stated


class VendorModel(BaseModel):
    """A part of a response. A field that must be present is required, even if it may be null, so
    that a changed schema is not read as a miss."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


def at(key: str, *inner: str | int) -> Any:
    """The place of a field in a response: the keys and indexes that lead to it."""
    return Field(validation_alias=AliasPath(key, *inner))


def parse_value(expected: TypeAdapter[T], body: Any, *keys: str) -> T:
    """The value at these keys. Raises `UnreadableResponse` if it is not as expected."""
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    try:
        return expected.validate_python(body, strict=True)
    except ValidationError:
        raise UnreadableResponse from None


def normalize_word(word: str | None) -> str:
    """A status word in one spelling: `No MX`, `no-mx` and `NO_MX` become `no_mx`."""
    return _SEPARATORS.sub("_", (word or "").strip().lower())


def mentions_address(body: object) -> bool:
    """Whether the body contains an address anywhere. If so, an absent field is not a miss."""
    return bool(_ADDRESS.search(str(body)))


def require_fields(record: Mapping[str, object], *names: str) -> None:
    """Raise `UnreadableResponse` for a record without an address field that has none of these
    fields either, or has an address in another place."""
    if mentions_address(record) or not any(name in record for name in names):
        raise UnreadableResponse
