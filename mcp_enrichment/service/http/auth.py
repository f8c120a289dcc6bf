"""Authentication: the team of an API key, or the one team of an embedded service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.service.accounts.api_keys import authenticate_and_read, key_id_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from mcp_enrichment.service.db.database import Database

T = TypeVar("T")
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

    async def and_read(
        self, request: Request, database: Database, read: Callable[[Any, int], T]
    ) -> tuple[Caller, T]:
        """The caller, and what `read` returns for a connection and the caller's team: in one
        transaction with the verification of the key."""


@dataclass(frozen=True, slots=True)
class OneTeam:
    """Every caller acts for the one team: for a service within its own process."""

    team_id: int

    async def __call__(self, request: Request) -> Caller:  # noqa: ARG002 (the protocol's)
        return Caller(self.team_id, "embedded")

    async def and_read(
        self, request: Request, database: Database, read: Callable[[Any, int], T]
    ) -> tuple[Caller, T]:
        found = await database.read(lambda connection: read(connection, self.team_id))
        return await self(request), found


@dataclass(frozen=True, slots=True)
class ByKey:
    """Every caller sends the key of its team."""

    database: Database

    async def __call__(self, request: Request) -> Caller:
        caller, _ = await self.and_read(request, self.database, lambda *_: None)
        return caller

    async def and_read(
        self, request: Request, database: Database, read: Callable[[Any, int], T]
    ) -> tuple[Caller, T]:
        key = request.headers.get(KEY_HEADER, "")
        verified = await authenticate_and_read(database, key, read)
        if verified is None:
            raise Unauthorized
        team_id, found = verified
        return Caller(team_id, key_id_of(key)), found
