"""The routes for operators: liveness, readiness and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_enrichment.contract.errors import CommitUnknown, StorageFailed
from mcp_enrichment.service import metrics
from mcp_enrichment.service.http.service_app import Endpoint
from mcp_enrichment.service.monitoring import Totals, totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request


def routes(*, metrics: bool) -> Sequence[Route]:
    """`/health` and `/ready`; `/metrics` if it is enabled, as totals are not public."""
    always = {"/health": _health, "/ready": _ready}
    served = always | {"/metrics": _metrics} if metrics else always
    return [Route(path, Endpoint(serve), methods=["GET"]) for path, serve in served.items()]


async def _health(_request: Request) -> Response:
    """The process runs."""
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    """The database can be written. A `StorageFailed` becomes a 503."""
    _limited(request)
    try:
        await request.app.service.database.check()
    except CommitUnknown as error:  # it is not ready, whether or not the write is saved
        raise StorageFailed(error.fault) from error
    return JSONResponse({"status": "ready"})


async def _metrics(request: Request) -> Response:
    _limited(request)
    _show(await totals(request.app.service))
    body = generate_latest(metrics.REGISTRY)
    return Response(body, media_type=CONTENT_TYPE_LATEST)


def _limited(request: Request) -> None:
    """Raise `RateLimited` before the database is read, as no key is needed."""
    if anonymous_limit := request.app.anonymous_limit:
        anonymous_limit.take_probe(request)


def _show(now: Totals) -> None:
    for kind, waiting in now.jobs_waiting.items():
        metrics.JOBS_WAITING.labels(kind=kind).set(waiting)
    for kind, amount in now.credits.items():
        metrics.CREDITS.labels(kind=kind).set(amount)
    metrics.OLDEST_JOB_SECONDS.set(now.oldest_job_seconds)
