"""The settings of the program, read from the environment once. They are immutable."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import platformdirs
from pydantic import (
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.defaults import DEFAULT_TEAM, VENDOR_URL
from mcp_enrichment.contract.pasted_text import strip_invisible, text_problem
from mcp_enrichment.credentials.keys import KEYLESS_SOURCES, ResolvedKey, resolve_key, vendor_key
from mcp_enrichment.settings.types import (
    Comma,
    Confirm,
    Currency,
    DatabaseUrl,
    HostName,
    HttpsUrl,
    LogLevel,
    Origin,
    Port,
    RootUrl,
    Secret,
    ServerUrl,
    SourceLimits,
    SourceNames,
    UrlPath,
    UserPath,
    VendorPrices,
    WebhookSecret,
    database_label,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTECTIVE_SECRETS = frozenset({"push_secrets", "http_secret", "privacy_key"})
"""Secrets that protect something. A blank one is refused: read as unset, it would protect nothing,
and its owner would not know."""


class InvalidSettings(ValueError):
    """A setting is not valid. The message names its variable, and contains no value."""


class Settings(BaseSettings):
    """The variable of a field is its name in upper case with the prefix `ENRICHMENT_`."""

    model_config = SettingsConfigDict(
        env_prefix="ENRICHMENT_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    api_key: Secret | None = Field(
        None, description="Key of the vendor, or of your team's service. Unset: embedded."
    )
    api_key_file: UserPath | None = Field(
        None, description="File that contains the key, if the key itself is not set."
    )
    api_url: ServerUrl | None = Field(
        None, description="Root URL of your team's service. Unset, with a key: the vendor."
    )
    data_dir: UserPath = Field(
        Path(platformdirs.user_data_dir(PROGRAM, appauthor=False)),
        description="Folder of the embedded service's database, contacts included.",
    )
    database_url: DatabaseUrl | None = Field(
        None, description="Postgres in place of a file: `postgresql://user:password@host/name`."
    )
    state_dir: UserPath = Field(
        Path(platformdirs.user_state_dir(PROGRAM, appauthor=False)),
        description="Folder of the file that remembers past requests.",
    )
    memory_days: float = Field(
        365, gt=0, le=36_500, description="Days for which a request is remembered."
    )
    miss_days: float = Field(
        30, ge=0, le=3650, description="Days for which a miss is not paid for again."
    )
    daily_budget: int | None = Field(
        None, ge=0, description="Credits that may be spent per UTC day, by all processes together."
    )
    reserve: int | None = Field(
        None,
        ge=0,
        description="Credits to keep: no request is sent that would take the balance below this.",
    )
    confirm: Confirm = Field(
        Confirm.NEVER, description="`always`: the client asks the person before a credit is spent."
    )
    sandbox: bool = Field(
        False, description="Profiles named `sandbox-…` get scripted answers, for tests."
    )
    check_mx: bool = Field(
        False, description="Before an address is given out, ask DNS whether its domain takes mail."
    )
    sources: SourceNames = Field(
        ("contacts",),
        min_length=1,
        description="Sources of addresses, in the order in which they are asked.",
    )
    callback_networks: Comma[IPvAnyNetwork] = Field(
        (), description="Non-public networks that callbacks may reach: `10.0.0.0/8,…`."
    )
    callback_ports: Comma[Port] = Field((80, 443), description="Ports that callbacks may go to.")
    callback_delays: Comma[Annotated[float, Field(ge=0, le=86_400)]] = Field(
        (0, 5, 30),
        min_length=3,
        max_length=3,
        description="Seconds before each of a callback's three attempts.",
    )
    concurrency: int = Field(
        16, ge=1, le=1000, description="Lookups, and as many callbacks, at once per process."
    )
    source_limits: SourceLimits = Field(
        {},
        description="Lookups at a source: at once / begun in a second. `contacts=50/200,…`.",
    )
    prices: VendorPrices = Field(
        {},
        description="Price of one credit of a vendor, for previews and `sources report`: "
        "`hunter=0.02,…`.",
    )
    currency: Currency | None = Field(
        None, description="Currency of these prices, as reports show it: `EUR`."
    )
    stop_seconds: float = Field(
        8, ge=0, le=60, description="Seconds that a stopping process waits for a vendor's answer."
    )
    rate_limit: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Requests a minute that each caller may make to each process.",
    )
    metrics: bool = Field(
        False, description="Serve Prometheus metrics at `/metrics`, without a key."
    )
    public_url: RootUrl | None = Field(
        None, description="URL under which MCP over HTTP is reached from outside, without `/mcp`."
    )
    server_card_path: UrlPath = Field(
        "/mcp/server-card", description="Path of the public server card, which clients may read."
    )
    ai_catalog_path: UrlPath = Field(
        "/.well-known/ai-catalog.json", description="Path of the catalog that names the card."
    )
    http_hosts: Comma[HostName] = Field(
        (), description="Further names, `host:port`, that MCP over HTTP answers to."
    )
    http_origins: Comma[Origin] = Field(
        (), description="Web pages' origins, `https://host`, that may call MCP over HTTP."
    )
    http_open: bool = Field(
        False, description="Serve MCP over HTTP without a credential: on loopback only."
    )
    http_secret: Secret | None = Field(
        None,
        min_length=32,
        description="Secret that signs each caller's ids; the same on every machine.",
    )
    push_secrets: Comma[WebhookSecret] = Field(
        (), description="Secrets (`whsec_…`); one of them must have signed each webhook."
    )
    oauth_issuer: HttpsUrl | None = Field(
        None, description="Issuer whose access tokens MCP over HTTP accepts."
    )
    oauth_jwks_url: HttpsUrl | None = Field(
        None, description="URL of the issuer's keys, if its metadata does not name it."
    )
    oauth_audience: str | None = Field(
        None, description="Audience of those tokens. Unset: the public URL with `/mcp`."
    )
    oauth_team: str = Field(
        DEFAULT_TEAM,
        description="Team that callers with such a token act for, when the service is embedded.",
    )
    answer_days: float = Field(
        90, gt=0, le=36_500, description="Days after which an answer is deleted."
    )
    contact_days: float | None = Field(
        None, gt=0, le=36_500, description="Days after which an imported contact is deleted."
    )
    privacy_key: Secret | None = Field(
        None,
        min_length=32,
        description="Key of the suppression list. Unset: `privacy.key` in the data folder.",
    )
    log_level: LogLevel = Field(
        LogLevel.WARNING,
        description="Lowest level written to stderr: DEBUG, INFO, WARNING or ERROR.",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in given.items()
            if name in PROTECTIVE_SECRETS or strip_invisible(str(value))
        }

    @field_validator("*", mode="before")
    @classmethod
    def _stripped(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        text = strip_invisible(value)
        if not text:
            raise ValueError("it is blank. Put the secret in its place, or remove the variable")
        if fault := text_problem(text):
            raise ValueError(fault)
        return text

    @cached_property
    def key(self) -> ResolvedKey | None:
        """The API key. Raises `Unauthorized` if it cannot be read. A keyring may take long, and
        prompt the user."""
        return resolve_key(self.api_key, self.api_key_file, self.server_url)

    @property
    def is_embedded(self) -> bool:
        """Whether the service runs in this process. Raises as `key` does."""
        return self.api_url is None and self.key is None

    @cached_property
    def vendor_keys(self) -> Mapping[str, SecretStr]:
        """The keys of the vendors among the sources, by name."""
        return {name: vendor_key(name) for name in self.sources if name not in KEYLESS_SOURCES}

    @property
    def server_url(self) -> str:
        return str(self.api_url or VENDOR_URL).rstrip("/")

    @property
    def public_root(self) -> str | None:
        """The public URL without a trailing slash."""
        return str(self.public_url).rstrip("/") if self.public_url else None

    @property
    def database_file(self) -> Path:
        return self.data_dir / "enrichment.db"

    @property
    def privacy_secret(self) -> bytes | None:
        return self.privacy_key.get_secret_value().encode() if self.privacy_key else None

    @property
    def secret_file(self) -> Path:
        """The file of the secret that signs ids, if none is set."""
        return self.state_dir / "http.secret"

    @property
    def push_file(self) -> Path:
        """The state of webhooks."""
        return self.state_dir / "pushes.db"

    @property
    def database_name(self) -> str:
        """Identifies the embedded service's database, without a password."""
        url = self.database_url
        return str(self.database_file) if url is None else database_label(url)

    @property
    def memory_file(self) -> Path:
        return self.state_dir / "memory.db"


def load_settings() -> Settings:
    """Read the settings from the environment. Raises `InvalidSettings` for an invalid one."""
    try:
        return Settings()
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = str(fault["loc"][0]).upper()
        problem = fault["msg"].removeprefix("Value error, ")
        raise InvalidSettings(f"ENRICHMENT_{name}: {problem}.") from None
