"""A service in this process that answers every request with the same balance."""

from __future__ import annotations

import httpx

BALANCE = 250
URL = "http://scripted.invalid"


class Scripted(httpx.AsyncBaseTransport):
    """Replaces the transport of httpx, so that all of the client's own work is done."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with the balance."""
        return httpx.Response(200, json={"balance": BALANCE}, request=request)
