"""The route of a vendor's webhooks: one URL for each request.

The body is read to verify its signature, and for nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from mcp_enrichment.contract import standard_webhooks
from mcp_enrichment.contract.errors import StorageFailed
from mcp_enrichment.mcp.http.request import HTTPError, read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

WEBHOOKS = "/pushes"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRoute:
    """The endpoint. The token in the URL, which nobody can guess, is its credential."""

    notify: Callable[[str], Awaitable[bool]]
    """Called with the token of a URL; returns whether the token is ours."""
    secrets: Sequence[str] = ()
    """If there are any, one of them must have signed the body."""

    async def take(self, request: Request) -> Response:
        """Save a webhook. It returns before anything is polled. Raises `HTTPError`."""
        body = await read_body(request.receive)
        if self.secrets and not standard_webhooks.verify(
            request.headers, body, self.secrets, now=time.time()
        ):
            raise HTTPError(401, "The signature is missing, wrong, or too old.")
        try:
            is_ours = await self.notify(request.path_params["token"])
        except StorageFailed as error:
            raise HTTPError(503, "The webhook could not be saved. Send it again.") from error
        if not is_ours:
            raise HTTPError(404, "There is nothing at this path.")
        return Response(status_code=204)
