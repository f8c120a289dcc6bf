"""A lookup of two minutes at a vendor that does not hold answers: with its webhooks, and polled.

Two servers over HTTP, each in its own process, get the same requests in the same minutes from
clients that wait repeatedly, as assistants do. Goals with webhooks: at most 4 requests a lookup,
and an answer within 0.3 s of its completion.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import uvicorn
from mcp import Client
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.mcp.results import structured_content

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.abc import TaskGroup
    from starlette.requests import Request
    from starlette.responses import Response

LOOKUP_SECONDS = 120
LOOKUPS = 10
APART = 0.37
"""Seconds between the starts of two lookups."""


@dataclass
class Vendor:
    """Accepts requests, completes each after `LOOKUP_SECONDS`, and then calls its webhook URL."""

    tasks: TaskGroup
    requests: Counter[str] = field(default_factory=Counter)
    """By id of the lookup."""
    ended: dict[str, float] = field(default_factory=dict)

    def app(self) -> Starlette:
        routes = [
            Route(ENRICHMENTS, self._post, methods=["POST"]),
            Route(ENRICHMENTS + "/{id}", self._get),
        ]
        return Starlette(routes=routes)

    async def _post(self, request: Request) -> Response:
        asked = await request.json()
        name = asked["linkedin_url"].rpartition("/")[2]
        self.requests[name] += 1
        self.tasks.start_soon(self._end, name, asked.get("callback_url"))
        return JSONResponse(self._state(name), 201)

    async def _get(self, request: Request) -> Response:
        name = request.path_params["id"]
        self.requests[name] += 1
        return JSONResponse(self._state(name))

    def _state(self, name: str) -> dict[str, Any]:
        status = "not-found" if name in self.ended else "processing"
        return {"_id": name, "status": status, "linkedin_url": f"https://linkedin.com/in/{name}"}

    async def _end(self, name: str, callback_url: str | None) -> None:
        await anyio.sleep(LOOKUP_SECONDS)
        self.ended[name] = time.monotonic()
        if callback_url:
            async with httpx.AsyncClient() as http:
                await http.post(callback_url, json=self._state(name))


async def main() -> None:
    """Print requests and delays for both."""
    late: dict[str, list[float]] = {"told": [], "polled": []}
    with tempfile.TemporaryDirectory() as folder:
        async with anyio.create_task_group() as tasks:
            served = Vendor(tasks)
            async with listening(served) as url:
                with face(Path(folder), url, told=True) as told, face(Path(folder), url) as polled:
                    await look_up_all(served, {"told": told, "polled": polled}, late)
            tasks.cancel_scope.cancel()
    for how, delays in late.items():
        counts = [n for name, n in served.requests.items() if name.startswith(how)]
        print(
            f"{how:7} {statistics.mean(counts):5.1f} requests a lookup, at most {max(counts)}; "
            f"{statistics.median(delays):6.3f} s after its end, at most {max(delays):.3f} s"
        )
    print("goal: told by at most 4 requests, within 0.300 s")


async def look_up_all(vendor: Vendor, roots: dict[str, str], late: dict[str, list[float]]) -> None:
    """Start the same lookups at each server, a little apart."""
    async with anyio.create_task_group() as lookups:
        for number in range(LOOKUPS):
            for how, root in roots.items():
                lookups.start_soon(look_up, vendor, root, f"{how}-{number}", late[how])
            await anyio.sleep(APART)


async def look_up(vendor: Vendor, root: str, name: str, late: list[float]) -> None:
    """Request, and wait until it is final; return the seconds from its completion to the answer."""
    async with Client(f"{root}/mcp") as client:
        asked = {"linkedin_url": f"https://linkedin.com/in/{name}", "type": "work"}
        answer = structured_content(await client.call_tool("request_email_enrichment", asked))
        waited = {"all_final": answer["is_final"]}
        while not waited["all_final"]:
            again = await client.call_tool("wait_for_enrichment", {"ids": [answer["id"]]})
            waited = structured_content(again)
    late.append(time.monotonic() - vendor.ended[name])


@asynccontextmanager
async def listening(vendor: Vendor) -> AsyncIterator[str]:
    """The URL of the vendor, which serves on a free port."""
    with create_server(("127.0.0.1", 0)) as made:
        server = uvicorn.Server(uvicorn.Config(vendor.app(), log_level="error", lifespan="off"))
        vendor.tasks.start_soon(server.serve, [made])
        yield f"http://127.0.0.1:{made.getsockname()[1]}"


@contextmanager
def face(folder: Path, vendor_url: str, *, told: bool = False) -> Iterator[str]:
    """The root URL of a server in its own process; with `told` it gives the vendor webhook URLs."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    root = f"http://127.0.0.1:{port}"
    settings = {
        "API_URL": vendor_url,
        "API_KEY": "a-key",
        "HTTP_OPEN": "true",
        "STATE_DIR": str(folder / f"told-{told}"),
    } | ({"PUBLIC_URL": root} if told else {})
    environment = os.environ | {f"ENRICHMENT_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "mcp_enrichment", "serve", "--http", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            assert re.search("Serving MCP", process.stderr.readline())
            yield root
        finally:
            process.kill()


if __name__ == "__main__":
    anyio.run(main)
