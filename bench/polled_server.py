"""A server of the contract whose lookups take as long as the profile's name says.

The key names the caller: requests are counted by caller, and the key says whether answers are held.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment.contract.http import ENRICHMENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

HOLDS = "holds"


def profile(name: str, seconds: float) -> str:
    """A profile whose lookup takes this many seconds."""
    return f"https://www.linkedin.com/in/{name}-{round(seconds * 1000)}"


@dataclass
class PolledServer:
    """The recorded requests. Times are seconds of `time.monotonic`."""

    url: str = ""
    reads: Counter[str] = field(default_factory=Counter)
    """GETs, by caller and profile."""
    ends: dict[str, float] = field(default_factory=dict)
    """The time of each lookup's completion, by its id."""
    _profiles: dict[str, str] = field(default_factory=dict)

    def app(self) -> Starlette:
        """The app with its two routes."""
        routes = [
            Route(ENRICHMENTS, self._post, methods=["POST"]),
            Route(ENRICHMENTS + "/{id}", self._get, methods=["GET"]),
        ]
        return Starlette(routes=routes)

    async def _post(self, request: Request) -> JSONResponse:
        url = (await request.json())["linkedin_url"]
        name = f"{request.headers['x-api-key']}-{url.rpartition('/')[2]}"
        self._profiles[name] = url
        self.ends[name] = time.monotonic() + int(name.rpartition("-")[2]) / 1000
        return JSONResponse(self._told(name), 201)

    async def _get(self, request: Request) -> JSONResponse:
        name = request.path_params["id"]
        self.reads[name] += 1
        if not name.startswith(HOLDS):
            return JSONResponse(self._told(name))
        wait = request.headers["prefer"].removeprefix("wait=")
        left = self.ends[name] - time.monotonic()
        await asyncio.sleep(max(min(left, float(wait)), 0))
        return JSONResponse(self._told(name), headers={"preference-applied": f"wait={wait}"})

    def _told(self, name: str) -> dict[str, Any]:
        told = {"_id": name, "status": "processing", "linkedin_url": self._profiles[name]}
        if time.monotonic() < self.ends[name]:
            return told
        email = {"email": "pat@example.com", "type": "work"}
        return told | {"status": "completed", "email": email, "enrichment_type": "work_email"}


@asynccontextmanager
async def polled_server() -> AsyncIterator[PolledServer]:
    """The server, listening on loopback in this process: both sides read one clock."""
    made = PolledServer()
    config = uvicorn.Config(made.app(), port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.should_exit = True
        await running
