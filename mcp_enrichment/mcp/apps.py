"""The MCP App: a page that a chat shows beside the result of a list, as a table.

Only clients that declare the extension learn of it: for all others the tools stay as they are. This
module imports nothing that is slow, as the first answers of the process need it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

APPS_EXTENSION = "io.modelcontextprotocol/ui"
MIME_TYPE = "text/html;profile=mcp-app"
URI = "ui://mcp-enrichment/results"
WITH_APP = frozenset({"request_email_enrichments", "wait_for_enrichment"})
"""The tools whose results the page shows, and which it calls. A single request has none: a chat
with twenty of them would show twenty frames."""
TOOL_META = {"ui": {"resourceUri": URI, "visibility": ["model", "app"]}}
PAGE_META = {"ui": {"csp": {}, "permissions": {"clipboardWrite": {}}, "prefersBorder": True}}
"""No domain is allowed, so the page reaches no network."""

SESSION = "app-"
"""The prefix of the id of an HTTP session whose client has declared the app."""


def declared_in(extensions: Any) -> bool:
    """Whether these extensions of a client's capabilities include the app."""
    settings = extensions.get(APPS_EXTENSION) if isinstance(extensions, dict) else None
    kinds = settings.get("mimeTypes") if isinstance(settings, dict) else None
    return isinstance(kinds, list) and MIME_TYPE in kinds


def is_shown_by(context: ServerRequestContext[Any]) -> bool:
    """Whether the client of this request shows the app.

    Over stateless HTTP a client with a handshake declares it once; then its session id says so.
    """
    declared = context.session.client_capabilities
    if declared is not None:
        return declared_in(declared.extensions)
    headers = context.request.headers if context.request else {}
    return str(headers.get("mcp-session-id", "")).startswith(SESSION)


def page() -> str:
    """The page: one HTML file with its style and script."""
    path = os.path.join(os.path.dirname(__file__), "apps.html")  # pathlib is slow to import
    with open(path, encoding="utf-8") as file:
        return file.read()
