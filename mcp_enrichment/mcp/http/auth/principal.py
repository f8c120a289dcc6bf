"""The caller of a request, and the scopes of its credential."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_enrichment.contract.errors import RateLimited


class Scope(StrEnum):
    READ = "enrichment.read"
    """Read and wait for enrichments, and see the balance."""
    SPEND = "enrichment.spend"
    """Request enrichments, which cost credits. It includes READ."""


EVERYTHING = frozenset(Scope)


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """The caller of a request."""

    name: str
    """Identifies the caller in rate limits and signed ids. It is no personal data."""
    scopes: frozenset[Scope] = EVERYTHING
    team_id: int | None = None
    """The team, if the credential is a team's API key."""

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or (scope is Scope.READ and Scope.SPEND in self.scopes)


OPERATOR = Principal(name="operator")
"""A caller without a credential, if that is allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthorizedRequest:
    """A request that has passed authentication."""

    principal: Principal
    reauthenticate: Callable[[], Awaitable[Principal]]
    """Checks the credential again. Raises `HTTPError` if it is no longer valid."""
    over_limit: RateLimited | None = None
    """Set if the rate limit is exceeded: a tool then returns this error."""


current_request: ContextVar[AuthorizedRequest] = ContextVar("current_request")
"""Set for each request before the SDK gets it, and so for the tool that it calls."""
