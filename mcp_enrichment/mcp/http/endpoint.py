"""`/mcp`: what stands between a socket and the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.mcp.http.body import body_of, handed_on
from mcp_enrichment.mcp.http.refused import Refused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Endpoint:
    """The ASGI application of the one route."""

    def __init__(self, mcp: ASGIApp) -> None:
        self._mcp = mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._admitted(scope, receive)
        except Refused as refused:
            await refused.answer()(scope, receive, send)
        else:
            await self._mcp(scope, handed_on(body, receive), send)

    async def _admitted(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            # No sessions: there is nothing to listen to by GET, and nothing to end by DELETE.
            raise Refused(405, "Send a POST.", headers={"Allow": "POST"})
        return await body_of(receive)
