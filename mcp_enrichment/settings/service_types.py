"""The settings of a fleet that are more than a number: where its database is, and its limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from mcp_enrichment.contract.placeholders import text_problem, url_problem
from mcp_enrichment.credentials.vendor_keys import KEYLESS_SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence


_FORM = "it must be of the form postgresql://user:password@host/database"


def _of_postgres(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if fault := url_problem(text):
        raise ValueError(fault)
    try:
        parts = urlsplit(text)
    except ValueError:  # what it says may quote the password
        raise ValueError(_FORM) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError(_FORM)
    if parts.password and (fault := text_problem(unquote(parts.password))):
        raise ValueError(f"of its password: {fault}")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_of_postgres)]
"""A libpq URL; it may hold a password."""


def database_label(url: SecretStr) -> str:
    """Tells the database from others, without a password."""
    parts = urlsplit(url.get_secret_value())
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


class SourceLimit(BaseModel, frozen=True):
    """How much a source may be asked, in all processes together."""

    source: str
    at_once: Annotated[int, Field(ge=1)] | None = None
    per_second: Annotated[float, Field(gt=0)] | None = None


_LIMIT = re.compile(r"(?P<source>[\w-]+)=(?P<at_once>\d+)?(?:/(?P<per_second>[\d.]+))?")


def _limit(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = _LIMIT.fullmatch(value)
    if not parts or not (parts["at_once"] or parts["per_second"]):
        raise ValueError("a limit has the form source=at once/per second, as in contacts=50/200")
    return parts.groupdict()


SourceLimitText = Annotated[SourceLimit, BeforeValidator(_limit)]
"""`contacts=50/200`: 50 lookups at once, 200 begun in a second; either may be left out."""


def require_known_sources(names: Sequence[str]) -> None:
    """Raise `ValueError` unless these are sources, and none is there twice."""
    if vendors := set(names) - KEYLESS_SOURCES:
        from mcp_enrichment.service.sources.vendors.registry import NAMES  # noqa: PLC0415

        if not vendors <= NAMES:
            raise ValueError(
                f"unknown source; the sources are {', '.join(sorted(KEYLESS_SOURCES | NAMES))}"
            )
    if len(set(names)) < len(names):
        raise ValueError("a source is listed twice")


def _of_sources(limits: tuple[SourceLimit, ...]) -> tuple[SourceLimit, ...]:
    require_known_sources([limit.source for limit in limits])
    return limits


UniqueKnownSources = AfterValidator(_of_sources)
"""Limits of sources that there are, one of each."""
