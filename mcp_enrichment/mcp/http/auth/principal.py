"""Who is calling, and what the caller may do."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_enrichment.contract.errors import RateLimited


class Scope(StrEnum):
    """What a credential allows."""

    READ = "enrichment.read"
    """To read and wait, and to see the balance."""
    SPEND = "enrichment.spend"
    """To request lookups, which cost credits; whoever may do that may read."""


EVERYTHING = frozenset(Scope)


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """On whose behalf a request is made."""

    name: str
    """Tells callers apart: in limits, and in what belongs to whom. It is no personal data."""
    scopes: frozenset[Scope] = EVERYTHING
    team_id: int | None = None
    """The team whose key the caller bears, if it bears a key."""

    def may(self, scope: Scope) -> bool:
        """Whether the credential allows it."""
        return scope in self.scopes or (scope is Scope.READ and Scope.SPEND in self.scopes)


OPERATOR = Principal(name="operator")
"""Whoever calls without a credential, where that is allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthorizedRequest:
    """One request as it was admitted."""

    caller: Principal
    reauthenticate: Callable[[], Awaitable[Principal]]
    """Who bears the credential now. Raises `Refused` where it has ended since."""
    over_limit: RateLimited | None = None
    """Set where the caller has used up its requests: a tool then tells so, and does nothing."""


current_request: ContextVar[AuthorizedRequest] = ContextVar("current_call")
"""Set for each request before the protocol sees it, and so for the tool that it calls."""
