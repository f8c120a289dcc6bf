"""The types of settings: what a variable's text may be, and how it is read."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr
from pydantic_settings import NoDecode

from mcp_enrichment.contract import webhooks
from mcp_enrichment.contract.http import is_loopback
from mcp_enrichment.contract.placeholders import path_problem, secret_problem, url_problem
from mcp_enrichment.contract.text import strip_invisible
from mcp_enrichment.credentials.vendor_keys import KEYLESS_SOURCES, vendor_key
from mcp_enrichment.settings.service_types import require_known_sources


def _absolute(path: Path) -> Path:
    if fault := path_problem(str(path)):  # else a folder of that very name would be made
        raise ValueError(fault)
    whole = Path(os.path.expanduser(path))
    if not whole.is_absolute():  # a chat client starts the server in any folder
        raise ValueError("it must be an absolute path")
    return whole


UserPath = Annotated[Path, AfterValidator(_absolute)]
"""A path in which `~` is the home folder: what a chat client sets goes through no shell."""
T = TypeVar("T")


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = [strip_invisible(part) for part in value.split(",")]
    if not any(parts):
        raise ValueError("the list has nothing in it")
    return [part for part in parts if part]


def _filled(value: object) -> object:
    if isinstance(value, str) and (fault := secret_problem(value)):
        raise ValueError(fault)
    return value


def _filled_url(value: object) -> object:
    if isinstance(value, str) and (fault := url_problem(value)):
        raise ValueError(fault)
    return value


def _https(url: str) -> str:
    parts = urlsplit(url)
    is_http_here = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not is_http_here:
        raise ValueError("it must be an https URL")
    return url


def _of_webhooks(secret: SecretStr) -> SecretStr:
    webhooks.decode_secret(secret.get_secret_value())
    return secret


def _root(url: HttpUrl) -> HttpUrl:
    if url.query is not None or url.fragment is not None:
        raise ValueError("it must be a URL without ? and #")
    if (url.path or "").rstrip("/").endswith("/mcp"):
        raise ValueError("it must be the URL without /mcp at its end, which is added")
    return url


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


ServerUrl = Annotated[HttpUrl, BeforeValidator(_filled_url)]
"""A URL of http or https."""
RootUrl = Annotated[ServerUrl, AfterValidator(_root)]
"""A URL to which paths are added."""
HostName = Annotated[str, AfterValidator(_host)]
"""What a `Host` header says."""
Origin = Annotated[str, AfterValidator(_origin)]
"""What an `Origin` header says."""
Secret = Annotated[SecretStr, BeforeValidator(_filled)]
"""A key, or another secret that a person has to fill in."""
WebhookSecret = Annotated[Secret, AfterValidator(_of_webhooks)]
"""A secret after the Standard Webhooks specification."""
HttpsUrl = Annotated[str, BeforeValidator(_filled_url), AfterValidator(_https)]
"""A URL that is compared character by character, and so kept as it was set; http on loopback."""
Comma = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_split)]
"""A list that a variable holds with commas between."""
Port = Annotated[int, Field(ge=1, le=65_535)]


def _askable(names: tuple[str, ...]) -> tuple[str, ...]:
    """Whether these sources can be asked: known, each once, each vendor with its key."""
    require_known_sources(names)
    for name in names:
        if name not in KEYLESS_SOURCES:
            vendor_key(name)
    return names


SourceNames = Annotated[Comma[str], AfterValidator(_askable)]
"""Sources in their order."""


class _CaseInsensitive(StrEnum):
    """Words that may be written in capitals or not."""

    @classmethod
    def _missing_(cls, value: object) -> _CaseInsensitive | None:
        return next((one for one in cls if str(value).casefold() == one.casefold()), None)


class LogLevel(_CaseInsensitive):
    """How much is written to stderr."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"

    @classmethod
    def _missing_(cls, value: object) -> _CaseInsensitive | None:
        # As many programs call it.
        return cls.WARNING if str(value).casefold() == "warn" else super()._missing_(value)


class Confirm(_CaseInsensitive):
    """Whether a person is asked before a credit is spent."""

    ALWAYS = "always"
    NEVER = "never"
