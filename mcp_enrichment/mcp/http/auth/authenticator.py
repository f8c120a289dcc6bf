"""Authenticates a request by its header `Authorization`, and tells clients what it needs.

Error responses follow RFC 6750, section 3, and RFC 9728, section 5. The protected resource metadata
names the issuer of access tokens (RFC 9728).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment import PROGRAM
from mcp_enrichment.contract.errors import ServiceUnavailable
from mcp_enrichment.mcp.http.auth.principal import OPERATOR, Principal, Scope
from mcp_enrichment.mcp.http.request import HTTPError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import Headers
    from starlette.requests import Request
    from starlette.responses import Response

    from mcp_enrichment.mcp.http.auth.access_tokens import TokenVerifier

TeamOf = Callable[[str], Awaitable[int | None]]
"""The team of an API key; None if the key is unknown or revoked, or is no key."""

NO_CREDENTIAL = "Send a credential: Authorization: Bearer <key or access token>."
BAD_CREDENTIAL = "The credential is unknown, expired, or not meant for this server."
MALFORMED = "There must be one Authorization header, of the form: Bearer <key or access token>."
UNCHECKED = "The credential cannot be checked at the moment. Try again in a minute."

WELL_KNOWN = "/.well-known/oauth-protected-resource"
NAME = "Email enrichment"
CACHED = "max-age=3600"
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenges:
    """The error responses with a `WWW-Authenticate` header."""

    metadata_url: str | None = None
    """The URL of the protected resource metadata; None without an issuer."""

    def no_credential(self) -> HTTPError:
        """Ask for both scopes at once, so that the user consents once."""
        return self._error(401, NO_CREDENTIAL, scope=" ".join(Scope))

    def bad_credential(self) -> HTTPError:
        return self._error(401, BAD_CREDENTIAL, error="invalid_token", scope=" ".join(Scope))

    def malformed(self) -> HTTPError:
        return self._error(400, MALFORMED, error="invalid_request")

    def missing(self, scope: Scope) -> HTTPError:
        sentence = f"This needs a token with the scope {scope}."
        return self._error(403, sentence, error="insufficient_scope", scope=scope)

    def unchecked(self, retry_after: float | None) -> HTTPError:
        """The credential cannot be checked now. That is no refusal."""
        return HTTPError(503, UNCHECKED, headers={"Retry-After": str(int(retry_after or 30))})

    def _error(self, status: int, sentence: str, *, error: str = "", scope: str = "") -> HTTPError:
        parameters = {
            "realm": PROGRAM,
            "error": error,
            "error_description": sentence if error else "",
            "scope": scope if self.metadata_url else "",
            "resource_metadata": self.metadata_url or "",
        }
        challenge = ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value)
        return HTTPError(status, sentence, headers={"WWW-Authenticate": f"Bearer {challenge}"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Authenticator:
    """Checks credentials. They are passed on to nobody."""

    challenges: Challenges
    team_of: TeamOf
    tokens: TokenVerifier | None
    open_to_all: bool
    """Whether a request without a credential is allowed."""

    async def authenticate(self, headers: Headers) -> Principal:
        """The principal of a request. Raises `HTTPError`."""
        given = headers.getlist("authorization")
        if not given and self.open_to_all:
            return OPERATOR
        if not given:
            raise self.challenges.no_credential()
        bearer = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
        if bearer is None:
            raise self.challenges.malformed()
        try:
            principal = await self._principal_of(bearer[1])
        except ServiceUnavailable as error:
            raise self.challenges.unchecked(error.retry_after) from error
        if principal is None:
            raise self.challenges.bad_credential()
        return principal

    async def _principal_of(self, token: str) -> Principal | None:
        team_id = await self.team_of(token)
        if team_id is not None:
            return Principal(name=f"team-{team_id}", team_id=team_id)
        return await self.tokens.verify(token) if self.tokens else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectedResource:
    url: str
    issuer: str

    @property
    def metadata_url(self) -> str:
        """The well-known path goes between host and path (RFC 9728, section 3.1)."""
        scheme, netloc, path, *_ = urlsplit(self.url)
        return f"{scheme}://{netloc}{WELL_KNOWN}{path}"

    def routes(self) -> Sequence[Route]:
        """The document at its URL, and at the one that clients derive from the host alone."""
        where = urlsplit(self.metadata_url).path
        return [Route(path, self._document) for path in (where, WELL_KNOWN)]

    async def _document(self, _request: Request) -> Response:
        document = {
            "resource": self.url,
            "resource_name": NAME,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(Scope),
            "bearer_methods_supported": ["header"],
        }
        return JSONResponse(document, headers={"Cache-Control": CACHED})
