"""Authentication: the team of an API key, or the one team of an embedded service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.service.accounts.api_keys import authenticate, key_id_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from mcp_enrichment.service.db.database import Database

KEY_HEADER = "x-api-key"


@dataclass(frozen=True, slots=True)
class Caller:
    """The team that a request is made for."""

    team_id: int
    name: str
    """The caller's name in rate limits: the public part of its key."""


class Authenticator(Protocol):
    """Returns the caller, or raises `Unauthorized`."""

    async def __call__(self, request: Request) -> Caller: ...


@dataclass(frozen=True, slots=True)
class OneTeam:
    """Every caller acts for the one team: for a service within its own process."""

    team_id: int

    async def __call__(self, request: Request) -> Caller:  # noqa: ARG002 (the protocol's)
        return Caller(self.team_id, "embedded")


@dataclass(frozen=True, slots=True)
class ByKey:
    """Every caller sends the key of its team."""

    database: Database

    async def __call__(self, request: Request) -> Caller:
        key = request.headers.get(KEY_HEADER, "")
        team_id = await authenticate(self.database, key)
        if team_id is None:
            raise Unauthorized
        return Caller(team_id, key_id_of(key))
