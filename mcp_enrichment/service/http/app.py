"""The service's routes: each parses a request, calls one operation and returns a response."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment.contract.errors import EnrichmentError
from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS, HISTORY
from mcp_enrichment.contract.models import Credits, History, HistoryEntry
from mcp_enrichment.service.billing import credits  # noqa: A004 (the module)
from mcp_enrichment.service.http import health
from mcp_enrichment.service.http.errors import on_defect, on_domain_error, on_http_error
from mcp_enrichment.service.http.middleware import RequestMiddleware
from mcp_enrichment.service.http.openapi import document
from mcp_enrichment.service.http.parsing import (
    enrichment_request,
    idempotency_key,
    json_body,
    preferred_wait,
    whole_number,
)
from mcp_enrichment.service.http.rate_limit import AnonymousLimit
from mcp_enrichment.service.requests import submission

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from starlette.requests import Request
    from starlette.responses import Response

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.http.auth import Authenticator, Caller
    from mcp_enrichment.service.http.rate_limit import RateLimit

T = TypeVar("T")
HISTORY_PAGE = 100
"""The most entries of one page of the ledger."""


def create_app(
    service: ServiceContext,
    authenticate: Authenticator,
    *,
    rate_limit: RateLimit | None = None,
    metrics: bool = False,
) -> Starlette:
    """The ASGI application of one service. `metrics` adds `/metrics`, without a key."""
    routes = [
        Route(ENRICHMENTS, _post, methods=["POST"]),
        Route(ENRICHMENTS + "/{id}", _get, methods=["GET"]),
        Route(CREDITS, _credits, methods=["GET"]),
        Route(HISTORY, _history, methods=["GET"]),
        Route("/openapi.json", _openapi, methods=["GET"]),
        *health.routes(metrics=metrics),
    ]
    handlers = {
        EnrichmentError: on_domain_error,
        HTTPException: on_http_error,
        Exception: on_defect,
    }
    app = Starlette(
        routes=routes, exception_handlers=handlers, middleware=[Middleware(RequestMiddleware)]
    )
    app.router.redirect_slashes = False  # the contract has no redirects: an empty id is a 404
    app.state.service, app.state.authenticate = service, authenticate
    app.state.rate_limit = rate_limit
    app.state.anonymous_limit = AnonymousLimit(rate_limit) if rate_limit else None
    return app


async def _post(request: Request) -> Response:
    caller = await _authenticate_and_count(request)
    key = idempotency_key(request)
    submitted = enrichment_request(await json_body(request))
    accepted = await submission.accept(
        _service(request), caller.team_id, submitted, idempotency_key=key
    )
    body = submission.to_response(
        submission.as_first_answered(accepted.request, submitted.external_id)
    )
    replayed = {"Idempotent-Replayed": str(accepted.replayed).lower()} if key else {}
    return JSONResponse(body.to_json(), 201, headers=replayed)


async def _get(request: Request) -> Response:
    service, request_id = _service(request), request.path_params["id"]
    caller, found = await _authenticate_and_read(request, submission.reader(service, request_id))
    wait = preferred_wait(request)
    found = await submission.wait_until_final(service, caller.team_id, found, wait or 0)
    applied = {} if wait is None else {"Preference-Applied": f"wait={wait}"}
    return JSONResponse(submission.to_response(found).to_json(), headers=applied)


async def _credits(request: Request) -> Response:
    caller = await _authenticate_and_count(request)
    balance = await credits.balance(_service(request).database, caller.team_id)
    return JSONResponse(Credits(balance=balance.available, held=balance.held).model_dump())


async def _history(request: Request) -> Response:
    caller = await _authenticate_and_count(request)
    limit = whole_number(request, "limit", default=HISTORY_PAGE, most=HISTORY_PAGE)
    before = whole_number(request, "before", default=None)
    entries = await credits.history(
        _service(request).database, caller.team_id, limit=limit or HISTORY_PAGE, before=before
    )
    page = History(entries=[HistoryEntry.model_validate(entry) for entry in entries])
    return JSONResponse(page.model_dump(mode="json"))


async def _openapi(_request: Request) -> Response:
    return JSONResponse(document())


async def _authenticate_and_count(request: Request) -> Caller:
    """Authenticate the caller and count the request."""
    with _authenticating(request):
        caller: Caller = await request.app.state.authenticate(request)
    _count(request, caller)
    return caller


async def _authenticate_and_read(
    request: Request, read: Callable[[Any, int], T]
) -> tuple[Caller, T]:
    """The same, with what `read` returns for the caller's team, from the same transaction."""
    authenticate: Authenticator = request.app.state.authenticate
    with _authenticating(request):
        caller, found = await authenticate.and_read(request, _service(request).database, read)
    _count(request, caller)
    return caller, found


def _authenticating(request: Request) -> AbstractContextManager[None]:
    """Within it the caller is authenticated. Too many invalid keys from one address: 429."""
    anonymous_limit: AnonymousLimit | None = request.app.state.anonymous_limit
    return anonymous_limit.authenticating(request) if anonymous_limit else nullcontext()


def _count(request: Request, caller: Caller) -> None:
    """Count the request. Every response has the rest of the quota."""
    limit: RateLimit | None = request.app.state.rate_limit
    if limit:
        try:
            limit.take(caller.name)
        finally:
            request.state.quota = limit.headers(caller.name)


def _service(request: Request) -> ServiceContext:
    service: ServiceContext = request.app.state.service
    return service
