"""Where a vendor tells the end of a lookup: an address for each request, and a body that is not
believed, nor read but to check its signature."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.contract.webhooks import verify
from mcp_enrichment.mcp.http.http_error import HTTPError
from mcp_enrichment.mcp.http.request_body import read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

PUSHES = "/pushes"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRoute:
    """The endpoint of the route; no credential but the address, which nobody can guess."""

    notify: Callable[[str], Awaitable[bool]]
    """Told the token of an address; whether it is one of ours."""
    secrets: Sequence[str] = ()
    """Where there are any, one of them must have signed the body."""

    async def take(self, request: Request) -> Response:
        """One push. It is answered before anything is asked."""
        try:
            await self._take(request)
        except HTTPError as error:
            return error.answer()
        return Response(status_code=204)

    async def _take(self, request: Request) -> None:
        body = await read_body(request.receive)
        if self.secrets and not verify(request.headers, body, self.secrets, now=time.time()):
            raise HTTPError(401, "The signature is missing, wrong, or too old.")
        try:
            is_ours = await self.notify(request.path_params["token"])
        except StorageFailed as failure:
            raise HTTPError(503, "The push could not be taken. Send it again.") from failure
        if not is_ours:
            raise HTTPError(404, "There is nothing at this path.")
