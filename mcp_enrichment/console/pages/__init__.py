"""The pages of the console, and the actions that their forms start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.console.pages import overview

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

    Handler = Callable[[Visit], Awaitable[Response]]

PAGES: Mapping[str, Handler] = {
    "": overview.show,
}
"""By the path below `/console`."""
ACTIONS: Mapping[str, Handler] = {}
"""The same of what a POST does."""
