"""A vendor that holds its answers: `PORT`. A lookup ends when the name of its profile says so.

That is in milliseconds of `time.monotonic`, which the processes of one machine share.
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
    """The profile of somebody whose lookup ends at that time."""
    return f"https://www.linkedin.com/in/held-{number}-{round(end * 1000)}"


def end_of(enrichment_id: str) -> float:
    """When it ends: it is known by the name of its profile."""
    return int(enrichment_id.rpartition("-")[2]) / 1000


async def post(request: Request) -> JSONResponse:
    """Accepts everything."""
    url = (await request.json())["linkedin_url"]
    return JSONResponse(state(url.rpartition("/")[2]), 201)


async def get(request: Request) -> JSONResponse:
    """Held until the end, or for as long as the caller likes to wait."""
    name = request.path_params["id"]
    wait = re.fullmatch("wait=([0-9]+)", request.headers.get("prefer", ""))
    seconds = float(wait[1]) if wait else 0.0
    await asyncio.sleep(max(min(seconds, end_of(name) - time.monotonic()), 0))
    return JSONResponse(state(name), headers={"preference-applied": f"wait={seconds:.0f}"})


def state(name: str) -> dict[str, Any]:
    """It is never found."""
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
