"""Who is calling: the team that the API key belongs to, or the one team of an embedded service."""

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
    """On whose account a request is made."""

    team_id: int
    name: str
    """Names the caller in limits: the public part of its key."""


class Authenticator(Protocol):
    """Tells who is calling, or raises `Unauthorized`."""

    async def __call__(self, request: Request) -> Caller: ...


@dataclass(frozen=True, slots=True)
class OneTeam:
    """Every caller acts for the one team: for a service that only its own process can reach."""

    team_id: int

    async def __call__(self, request: Request) -> Caller:  # noqa: ARG002 (the protocol's)
        return Caller(self.team_id, "embedded")


@dataclass(frozen=True, slots=True)
class ByKey:
    """Every caller bears the key of its team."""

    database: Database

    async def __call__(self, request: Request) -> Caller:
        key = request.headers.get(KEY_HEADER, "")
        team_id = await authenticate(self.database, key)
        if team_id is None:
            raise Unauthorized
        return Caller(team_id, key_id_of(key))
