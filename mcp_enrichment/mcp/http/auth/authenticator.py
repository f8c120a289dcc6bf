"""From a request's headers to its caller: a key of the service, or a token of the issuer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import ServiceUnavailable
from mcp_enrichment.mcp.http.auth.principal import OPERATOR, Principal

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from mcp_enrichment.mcp.http.auth.access_tokens import TokenVerifier
    from mcp_enrichment.mcp.http.auth.www_authenticate import Challenges

TeamOf = Callable[[str], Awaitable[int | None]]
"""The team that a key belongs to; None for a key that is unknown, revoked, or no key at all."""

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Authenticator:
    """Checks a credential where it is; it is passed on to nobody."""

    challenges: Challenges
    team_of: TeamOf
    tokens: TokenVerifier | None
    open_to_all: bool
    """Whether a caller without a credential acts for the operator."""

    async def caller_of(self, headers: Headers) -> Principal:
        """Who is calling. Raises `Refused`."""
        given = headers.getlist("authorization")
        if not given and self.open_to_all:
            return OPERATOR
        if not given:
            raise self.challenges.no_credential()
        bearer = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
        if bearer is None:
            raise self.challenges.malformed()
        return await self._bearing(bearer[1])

    async def _bearing(self, token: str) -> Principal:
        try:
            caller = await self._known(token)
        except ServiceUnavailable as error:
            raise self.challenges.unchecked(error.retry_after) from error
        if caller is None:
            raise self.challenges.bad_credential()
        return caller

    async def _known(self, token: str) -> Principal | None:
        team_id = await self.team_of(token)
        if team_id is not None:
            return Principal(name=f"team-{team_id}", team_id=team_id)
        return await self.tokens.caller_of(token) if self.tokens else None
