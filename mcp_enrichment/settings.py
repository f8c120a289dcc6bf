"""Every setting, read once from the environment and frozen."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    SecretStr,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

VENDOR_URL = "https://client-api.salesfinity.co"
"""The vendor of the contract: whom a key is for when no URL is set."""
APP = "mcp-enrichment"


Folder = Annotated[Path, AfterValidator(lambda path: Path(os.path.expanduser(path)))]
"""A path in which `~` is the home folder: what a chat client sets goes through no shell."""
T = TypeVar("T")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _of_postgres(url: SecretStr) -> SecretStr:
    if urlsplit(url.get_secret_value()).scheme not in ("postgresql", "postgres"):
        raise ValueError("it must be of the form postgresql://user:password@host/database")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_of_postgres)]
"""A libpq URL; it may hold a password."""
Comma = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_split)]
"""A list that a variable holds with commas between."""
Port = Annotated[int, Field(ge=1, le=65_535)]


class SourceLimit(BaseModel, frozen=True):
    """How much a source may be asked, in all processes together."""

    source: str
    at_once: Annotated[int, Field(ge=1)] | None = None
    per_second: Annotated[float, Field(gt=0)] | None = None


_LIMIT = re.compile(r"(?P<source>[\w-]+)=(?P<at_once>\d+)?(?:/(?P<per_second>[\d.]+))?")


def _limit(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not (parts := _LIMIT.fullmatch(value)):
        raise ValueError("a limit is of the form source=at once/a second, as in contacts=50/200")
    return parts.groupdict()


class LogLevel(StrEnum):
    """How much is written to stderr."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Settings(BaseSettings):
    """One field a setting; the variable is the field's name in capitals after `ENRICHMENT_`."""

    model_config = SettingsConfigDict(
        env_prefix="ENRICHMENT_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    api_key: Annotated[
        SecretStr | None,
        Field(description="Key of the vendor, or of your team's service. Unset: embedded."),
    ] = None
    api_url: Annotated[
        HttpUrl | None,
        Field(description="Root URL of your team's service. Unset, with a key: the vendor."),
    ] = None
    data_dir: Annotated[
        Folder,
        Field(description="Folder of the embedded service's database, contacts included."),
    ] = Path(platformdirs.user_data_dir(APP, appauthor=False))
    database_url: Annotated[
        DatabaseUrl | None,
        Field(description="Postgres in place of a file: `postgresql://user:password@host/name`."),
    ] = None
    state_dir: Annotated[
        Folder,
        Field(description="Folder of the memory of past requests."),
    ] = Path(platformdirs.user_state_dir(APP, appauthor=False))
    miss_days: Annotated[
        float,
        Field(ge=0, le=3650, description="Days for which a miss is not paid for again."),
    ] = 30
    callback_networks: Annotated[
        Comma[IPvAnyNetwork],
        Field(description="Networks that callbacks may reach although not public: `10.0.0.0/8,…`."),
    ] = ()
    callback_ports: Annotated[
        Comma[Port],
        Field(description="Ports that callbacks may go to."),
    ] = (80, 443)
    callback_delays: Annotated[
        Comma[Annotated[float, Field(ge=0, le=86_400)]],
        Field(
            min_length=3,
            max_length=3,
            description="Seconds before each of a callback's three tries.",
        ),
    ] = (0, 5, 30)
    concurrency: Annotated[
        int,
        Field(
            ge=1, le=1000, description="Lookups, and on Postgres callbacks, at once per process."
        ),
    ] = 16
    source_limits: Annotated[
        Comma[Annotated[SourceLimit, BeforeValidator(_limit)]],
        Field(description="Lookups at a source, at once and begun a second: `contacts=50/200,…`."),
    ] = ()
    rate_limit: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="Requests a minute that each API key may make."),
    ] = 600
    metrics: Annotated[
        bool,
        Field(description="Serve Prometheus metrics at `/metrics` to whoever asks."),
    ] = False
    log_level: Annotated[
        LogLevel,
        Field(description="What is written to stderr: DEBUG, INFO, WARNING or ERROR."),
    ] = LogLevel.WARNING

    @property
    def is_embedded(self) -> bool:
        """Whether the service runs in this process."""
        return self.api_key is None and self.api_url is None

    @property
    def server_url(self) -> str:
        """The root of the server that is talked to."""
        return str(self.api_url or VENDOR_URL).rstrip("/")

    @property
    def database_file(self) -> Path:
        """The embedded service's database."""
        return self.data_dir / "enrichment.db"

    @property
    def database_name(self) -> str:
        """Tells the embedded service's database from others, and not its password."""
        if self.database_url is None:
            return str(self.database_file)
        url = urlsplit(self.database_url.get_secret_value())
        return f"{url.netloc.rpartition('@')[2]}{url.path}"

    @property
    def memory_file(self) -> Path:
        """The memory of past requests."""
        return self.state_dir / "memory.db"
