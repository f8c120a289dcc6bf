"""The style sheet and the script."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.responses import Response

from mcp_enrichment.console.visits import Refused

if TYPE_CHECKING:
    from mcp_enrichment.console.visits import Visit

TYPES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


async def serve(visit: Visit) -> Response:
    """A file of the console."""
    name = visit.request.path_params["name"]
    if name not in TYPES:
        raise Refused(404, "There is no such file.", "")
    body = (files(__package__) / "static" / name).read_bytes()
    return Response(body, media_type=TYPES[name])
