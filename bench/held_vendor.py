"""A vendor that holds its answers: `PORT`. The name of a profile says when its lookup completes.

The name has that time in milliseconds of `time.monotonic`, which the processes of one machine
share.
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

from mcp_enrichment.contract.http import ENRICHMENTS

if TYPE_CHECKING:
    from starlette.requests import Request


def profile(number: int, end: float) -> str:
    """A profile whose lookup completes at that time."""
    return f"https://www.linkedin.com/in/held-{number}-{round(end * 1000)}"


def end_of(enrichment_id: str) -> float:
    """The time at which it completes, from the name of its profile."""
    return int(enrichment_id.rpartition("-")[2]) / 1000


async def post(request: Request) -> JSONResponse:
    """Accept everything."""
    url = (await request.json())["linkedin_url"]
    return JSONResponse(state(url.rpartition("/")[2]), 201)


async def get(request: Request) -> JSONResponse:
    """Hold the answer until the completion, or as long as the caller allows."""
    name = request.path_params["id"]
    wait = re.fullmatch("wait=([0-9]+)", request.headers.get("prefer", ""))
    seconds = float(wait[1]) if wait else 0.0
    await asyncio.sleep(max(min(seconds, end_of(name) - time.monotonic()), 0))
    return JSONResponse(state(name), headers={"preference-applied": f"wait={seconds:.0f}"})


def state(name: str) -> dict[str, Any]:
    """The state of the lookup; the outcome is always a miss."""
    status = "not-found" if time.monotonic() >= end_of(name) else "processing"
    return {
        "_id": name,
        "status": status,
        "type": "work",
        "linkedin_url": f"https://www.linkedin.com/in/{name}",
    }


if __name__ == "__main__":
    routes = [
        Route(ENRICHMENTS, post, methods=["POST"]),
        Route(ENRICHMENTS + "/{id}", get, methods=["GET"]),
    ]
    app = Starlette(routes=routes)
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False)
