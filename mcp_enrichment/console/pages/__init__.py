"""The pages of the console, and the actions that their forms start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.console.pages import callbacks, credits, lookups, overview, sources  # noqa: A004 (a page)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

    Handler = Callable[[Visit], Awaitable[Response]]

PAGES: Mapping[str, Handler] = {
    "": overview.show,
    "/lookups": lookups.show,
    "/lookups/{id}": lookups.show_one,
    "/sources": sources.show,
    "/sources/order": sources.show_order,
    "/credits": credits.show,
    "/callbacks": callbacks.show,
}
"""By the path below `/console`."""
ACTIONS: Mapping[str, Handler] = {
    "/lookups/search": lookups.search,
    "/lookups/{id}/reveal": lookups.reveal,
    "/sources/resume": sources.resume,
    "/credits/change": credits.change,
    "/callbacks/retry": callbacks.retry,
}
"""The same of what a POST does."""
