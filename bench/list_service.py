"""A service whose lookups take some seconds: `SECONDS PORT`. Every third profile is a miss.

With 0 seconds the POST returns the final state, and the process keeps nothing.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS

if TYPE_CHECKING:
    from starlette.requests import Request

MISS_EVERY = 3
_SECONDS = float(sys.argv[1]) if __name__ == "__main__" else 0.0
_ends: dict[str, float] = {}
"""The time at which each lookup completes, by its id."""


def profile(batch: str, number: int) -> str:
    """A profile of a batch: one that no other part of the benchmark looks up."""
    return f"https://www.linkedin.com/in/{batch}-example-{number}"


async def post(request: Request) -> JSONResponse:
    """Accept everything."""
    name = (await request.json())["linkedin_url"].rpartition("/")[2]
    if _SECONDS:
        _ends[name] = time.monotonic() + _SECONDS
    return JSONResponse(state(name), 201)


async def get(request: Request) -> JSONResponse:
    """Hold the answer until the completion, or as long as the caller allows."""
    name = request.path_params["id"]
    wait = re.fullmatch("wait=([0-9]+)", request.headers.get("prefer", ""))
    seconds = float(wait[1]) if wait else 0.0
    left = _ends.get(name, 0.0) - time.monotonic()
    await asyncio.sleep(max(min(seconds, left), 0))
    return JSONResponse(state(name), headers={"preference-applied": f"wait={seconds:.0f}"})


async def credits_left(_request: Request) -> JSONResponse:
    """More than a list costs."""
    return JSONResponse({"balance": 1_000_000})


def state(name: str) -> dict[str, Any]:
    """The state of the lookup."""
    body = {"_id": name, "type": "work", "linkedin_url": f"https://www.linkedin.com/in/{name}"}
    body["enrichment_type"] = "work_email"
    if time.monotonic() < _ends.get(name, 0.0):
        return body | {"status": "processing"}
    if int(name.rpartition("-")[2]) % MISS_EVERY == 0:
        return body | {"status": "not-found", "credits_charged": 0}
    email = {"email": f"{name}@example.com", "type": "work"}
    found = {"source": "hunter", "verification": "verified", "credits_charged": 1}
    return body | {"status": "completed", "email": email} | found


if __name__ == "__main__":
    routes = [
        Route(ENRICHMENTS, post, methods=["POST"]),
        Route(ENRICHMENTS + "/{id}", get, methods=["GET"]),
        Route(CREDITS, credits_left, methods=["GET"]),
    ]
    app = Starlette(routes=routes)
    uvicorn.run(app, port=int(sys.argv[2]), log_config=None, access_log=False)
