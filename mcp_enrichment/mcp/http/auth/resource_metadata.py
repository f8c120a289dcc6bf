"""The protected resource metadata: it names the issuer to clients (RFC 9728)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment.mcp.http.auth.principal import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

WELL_KNOWN = "/.well-known/oauth-protected-resource"
NAME = "Email enrichment"
CACHED = "max-age=3600"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectedResource:
    """This server as an OAuth resource."""

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
