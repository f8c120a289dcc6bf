"""Documents by which clients find the server before they connect: its card, and a catalog of it.

The card follows SEP-2127, the catalog the AI Catalog specification. Both are public, and say only
what a client needs in order to connect. They exist if the server has a public URL.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.responses import Response
from starlette.routing import Route

from mcp_enrichment import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

REGISTRY_NAME = "io.github.mcp-enrichment/mcp-enrichment"
"""The namespace must be one that the publisher owns; the README has the same name."""
TITLE = "LinkedIn email enrichment"
DESCRIPTION = "Finds the work or personal email of a LinkedIn profile; never pays for one twice."
CARD_SCHEMA = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"
CARD_TYPE = "application/mcp-server-card+json"
CATALOG_TYPE = "application/ai-catalog+json"
_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "Content-Type, If-None-Match",
    "Access-Control-Expose-Headers": "ETag",
    "Cache-Control": "public, max-age=3600",
}
"""Web pages of any origin may read the documents."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """The two documents and their paths."""

    endpoint: str
    """The public URL of MCP."""
    root: str
    """The public URL of the server, without a slash at the end."""
    card_path: str
    catalog_path: str
    has_issuer: bool
    """Whether a client may get a token instead of a key."""

    @property
    def paths(self) -> tuple[str, str]:
        """The paths of both, which a page of any origin may read."""
        return self.card_path, self.catalog_path

    def card(self) -> dict[str, Any]:
        """The server card: identity, transport and protocol versions."""
        credential = {
            "name": "Authorization",
            "description": "Bearer and a key of your team.",
            "isRequired": not self.has_issuer,
            "isSecret": True,
        }
        return {
            "$schema": CARD_SCHEMA,
            "name": REGISTRY_NAME,
            "title": TITLE,
            "description": DESCRIPTION,
            "version": __version__,
            "remotes": [
                {
                    "type": "streamable-http",
                    "url": self.endpoint,
                    "supportedProtocolVersions": [
                        *HANDSHAKE_PROTOCOL_VERSIONS,
                        *MODERN_PROTOCOL_VERSIONS,
                    ],
                    "headers": [credential],
                }
            ],
        }

    def catalog(self) -> dict[str, Any]:
        """The catalog: where the card is."""
        entry = {
            "identifier": f"urn:air:{urlsplit(self.root).hostname}:mcp:enrichment",
            "type": CARD_TYPE,
            "url": f"{self.root}{self.card_path}",
        }
        return {"specVersion": "1.0", "entries": [entry]}

    def routes(self, prefix: str) -> Iterator[Route]:
        """Both documents below a prefix of the path."""
        yield Route(prefix + self.card_path, _Document(self.card(), CARD_TYPE).answer)
        yield Route(prefix + self.catalog_path, _Document(self.catalog(), CATALOG_TYPE).answer)


class _Document:
    """A document that never changes while the process runs."""

    def __init__(self, content: dict[str, Any], media_type: str) -> None:
        self._body = json.dumps(content).encode()
        tag = hashlib.sha256(self._body).hexdigest()[:32]
        self._headers = _HEADERS | {"Content-Type": media_type, "ETag": f'"{tag}"'}

    async def answer(self, request: Request) -> Response:
        """The document, or 304 if the client has it."""
        known = request.headers.get("if-none-match", "")
        if self._headers["ETag"] in known or known.strip() == "*":
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=self._headers)
        return Response(self._body, headers=self._headers)
