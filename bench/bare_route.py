"""The cheapest possible route on the same server: it shows what HTTP itself costs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

ANSWER = {"_id": "0" * 24, "status": "pending", "linkedin_url": "https://www.linkedin.com/in/x-y-z"}


async def get(_request: Request) -> JSONResponse:
    """Return the same bytes each time."""
    return JSONResponse(ANSWER)


async def post(request: Request) -> JSONResponse:
    """Parse the JSON and return the same bytes."""
    await request.json()
    return JSONResponse(ANSWER, 201)


routes = [Route("/", get, methods=["GET"]), Route("/", post, methods=["POST"])]
uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), log_config=None, access_log=False)
