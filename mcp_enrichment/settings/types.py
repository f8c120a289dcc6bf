"""The types of settings: how the text of a variable is parsed and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr
from pydantic_settings import NoDecode

from mcp_enrichment.contract import standard_webhooks
from mcp_enrichment.contract.http import is_loopback
from mcp_enrichment.contract.pasted_text import (
    path_problem,
    secret_problem,
    strip_invisible,
    text_problem,
    url_problem,
)
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.credentials.keys import KEYLESS_SOURCES, vendor_key

T = TypeVar("T")


def _absolute(path: Path) -> Path:
    if fault := path_problem(str(path)):  # else a folder of that name would be created
        raise ValueError(fault)
    whole = Path(os.path.expanduser(path))
    if not whole.is_absolute():  # a chat client starts the server in any folder
        raise ValueError("it must be an absolute path")
    return whole


UserPath = Annotated[Path, AfterValidator(_absolute)]
"""An absolute path. `~` is the home folder, because a chat client's settings pass no shell."""


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = [strip_invisible(part) for part in value.split(",")]
    if not any(parts):
        raise ValueError("the list has nothing in it")
    return [part for part in parts if part]


Comma = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_split)]
"""A list, separated by commas."""


def _without_placeholder(problem: Callable[[str], str | None]) -> BeforeValidator:
    def check(value: object) -> object:
        if isinstance(value, str) and (fault := problem(value)):
            raise ValueError(fault)
        return value

    return BeforeValidator(check)


def _root(url: HttpUrl) -> HttpUrl:
    if url.query is not None or url.fragment is not None:
        raise ValueError("it must be a URL without ? and #")
    if (url.path or "").rstrip("/").endswith("/mcp"):
        raise ValueError("it must be the URL without /mcp at its end, which is added")
    return url


def _https(url: str) -> str:
    parts = urlsplit(url)
    is_local_http = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not is_local_http:
        raise ValueError("it must be an https URL")
    return url


ServerUrl = Annotated[HttpUrl, _without_placeholder(url_problem)]
"""An http or https URL."""
RootUrl = Annotated[ServerUrl, AfterValidator(_root)]
"""A URL to which paths are appended."""
HttpsUrl = Annotated[str, _without_placeholder(url_problem), AfterValidator(_https)]
"""An https URL, or http on loopback. Its text is kept, as issuers are compared by character."""

_HOST = r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"


def _host(name: str) -> str:
    if not re.fullmatch(_HOST, name):
        raise ValueError("a name must be of the form host:port, without https:// and paths")
    return name


def _origin(name: str) -> str:
    if not re.fullmatch(rf"[A-Za-z][A-Za-z0-9+.-]*://{_HOST}", name):
        raise ValueError(
            "an origin must be of the form https://host, without a slash at its end; there is no "
            "sign for all of them"
        )
    return name


HostName = Annotated[str, AfterValidator(_host)]
"""The value of a `Host` header."""
Origin = Annotated[str, AfterValidator(_origin)]
"""The value of an `Origin` header."""
UrlPath = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$", max_length=200)]

Port = Annotated[int, Field(ge=1, le=65_535)]


def _webhook_secret(secret: SecretStr) -> SecretStr:
    standard_webhooks.decode_secret(secret.get_secret_value())
    return secret


def _postgres_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    form = "it must be of the form postgresql://user:password@host/database"
    if fault := url_problem(text):
        raise ValueError(fault)
    try:
        parts = urlsplit(text)
    except ValueError:  # its message may quote the password
        raise ValueError(form) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError(form)
    if parts.password and (fault := text_problem(unquote(parts.password))):
        raise ValueError(f"of its password: {fault}")
    return url


Secret = Annotated[SecretStr, _without_placeholder(secret_problem)]
"""A key or another secret."""
WebhookSecret = Annotated[Secret, AfterValidator(_webhook_secret)]
"""A secret of the Standard Webhooks specification."""
DatabaseUrl = Annotated[SecretStr, AfterValidator(_postgres_url)]
"""A libpq URL, which may contain a password."""


def database_label(url: SecretStr) -> str:
    """The host and the name of the database, without a password."""
    parts = urlsplit(url.get_secret_value())
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def _check_names(kind: str, names: Sequence[str], keyless: frozenset[str] = frozenset()) -> None:
    """Raise `ValueError` for a name that is neither keyless nor a vendor's, or is listed twice."""
    if vendors := set(names) - keyless:
        from mcp_enrichment.service.sources.factory import NAMES  # noqa: PLC0415

        if not vendors <= NAMES:
            known = ", ".join(sorted(keyless | NAMES))
            raise ValueError(f"unknown {kind}; the {kind}s are {known}")
    if len(set(names)) < len(names):
        raise ValueError(f"a {kind} is listed twice")


def _sources(names: tuple[str, ...]) -> tuple[str, ...]:
    _check_names("source", names, KEYLESS_SOURCES)
    for name in names:
        if name not in KEYLESS_SOURCES:
            vendor_key(name)  # raises if there is none
    return names


SourceNames = Annotated[Comma[str], AfterValidator(_sources)]
"""Known sources in their order. Each vendor has a key."""


_LIMIT = re.compile(r"(?P<source>[\w-]+)=(?P<at_once>\d+)?(?:/(?P<per_second>[\d.]+))?")


def _limits(value: object) -> object:
    parts = _split(value)
    if not isinstance(parts, list):
        return value
    limits = [_LIMIT.fullmatch(part) for part in parts]
    if not all(limit and (limit["at_once"] or limit["per_second"]) for limit in limits):
        raise ValueError("a limit has the form source=at once/per second, as in contacts=50/200")
    groups = [limit.groupdict() for limit in limits if limit]
    _check_names("source", [group["source"] for group in groups], KEYLESS_SOURCES)
    return {group.pop("source"): group for group in groups}


SourceLimits = Annotated[Mapping[str, SourceLimit], NoDecode, BeforeValidator(_limits)]
"""`contacts=50/200,…`: 50 concurrent lookups, 200 started in a second. Either may be left out."""


def _prices(value: object) -> object:
    parts = _split(value)
    if not isinstance(parts, list):
        return value
    pairs = [[strip_invisible(text) for text in part.partition("=")[::2]] for part in parts]
    if not all(map(all, pairs)):
        raise ValueError("a price has the form vendor=price of a credit, as in hunter=0.02")
    _check_names("vendor", [vendor for vendor, _ in pairs])
    return dict(pairs)


Price = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=12)]
VendorPrices = Annotated[Mapping[str, Price], NoDecode, BeforeValidator(_prices)]
"""`hunter=0.02,…`: the price of one credit of each of these vendors."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it must be of printable characters")
    return text


Currency = Annotated[str, Field(max_length=8), AfterValidator(_printable)]
"""The name or the sign of a currency."""


class _CaseInsensitive(StrEnum):
    """An enum whose values may be written in upper or lower case."""

    @classmethod
    def _missing_(cls, value: object) -> _CaseInsensitive | None:
        return next((one for one in cls if str(value).casefold() == one.casefold()), None)


class LogLevel(_CaseInsensitive):
    """The lowest level that is written to stderr."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"

    @classmethod
    def _missing_(cls, value: object) -> _CaseInsensitive | None:
        # Many programs call it so.
        return cls.WARNING if str(value).casefold() == "warn" else super()._missing_(value)


class Confirm(_CaseInsensitive):
    """Whether a person confirms before a credit is spent."""

    ALWAYS = "always"
    NEVER = "never"
