"""The service's routes: each parses a request, calls one operation and returns a response."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_enrichment.contract.errors import EnrichmentError, Unauthorized
from mcp_enrichment.contract.http import BATCH, CREDITS, ENRICHMENTS, HISTORY
from mcp_enrichment.contract.models import Credits, History
from mcp_enrichment.service.accounts.api_keys import key_id_of, team_of
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.http import health
from mcp_enrichment.service.http.errors import STATUS, error_detail
from mcp_enrichment.service.http.openapi import document
from mcp_enrichment.service.http.parsing import (
    KEY_HEADER,
    MAX_BATCH_BODY,
    MAX_BATCH_KEY,
    batch_request,
    enrichment_request,
    idempotency_key,
    json_body,
    preferred_wait,
    whole_number,
)
from mcp_enrichment.service.http.service_app import Endpoint, ServiceApp
from mcp_enrichment.service.requests import batch_submission, submission

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from mcp_enrichment.contract.models import EnrichmentRequest
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.http.rate_limit import RateLimit
    from mcp_enrichment.service.requests.submission import Accepted

T = TypeVar("T")
HISTORY_PAGE = 100
"""The most entries of one page of the ledger."""


def create_app(
    service: ServiceContext,
    *,
    rate_limit: RateLimit | None = None,
    metrics: bool = False,
    further: Sequence[Route] = (),
) -> ServiceApp:
    """The ASGI application of one service. Callers send the keys of their teams.

    `metrics` adds `/metrics`, without a key. `further`: the routes of the console.
    """
    routes = [
        Route(ENRICHMENTS, Endpoint(_post), methods=["POST"]),
        Route(BATCH, Endpoint(_post_batch), methods=["POST"]),
        Route(ENRICHMENTS + "/{id}", Endpoint(_get), methods=["GET"]),
        Route(CREDITS, Endpoint(_credits), methods=["GET"]),
        Route(HISTORY, Endpoint(_history), methods=["GET"]),
        Route("/openapi.json", Endpoint(_openapi), methods=["GET"]),
        *health.routes(metrics=metrics),
        *further,
    ]
    return ServiceApp(routes, service, rate_limit)


async def _post(request: Request) -> Response:
    team_id = await _team_id(request)
    key = idempotency_key(request)
    submitted = enrichment_request(await json_body(request))
    wait = preferred_wait(request)
    service: ServiceContext = request.app.service
    accepted = await submission.accept(service, team_id, submitted, idempotency_key=key)
    answer = submission.as_first_answered(accepted.request, submitted.external_id)
    if wait:
        answer = await submission.outcome_or_same(service, answer, wait)
    replayed = {"Idempotent-Replayed": str(accepted.replayed).lower()} if key else {}
    headers = replayed | _applied(wait)
    return JSONResponse(submission.to_response(answer).to_json(), 201, headers=headers)


async def _post_batch(request: Request) -> Response:
    team_id = await _team_id(request)
    key = idempotency_key(request, MAX_BATCH_KEY)
    batch = batch_request(await json_body(request, MAX_BATCH_BODY), key)
    _count_more(request, len(batch) - 1)
    outcomes = await batch_submission.accept_all(request.app.service, team_id, batch)
    results = map(_batch_result, outcomes, batch)
    return JSONResponse({"results": list(results)})


def _batch_result(
    outcome: Accepted | EnrichmentError, item: tuple[EnrichmentRequest, str | None]
) -> dict[str, Any]:
    if isinstance(outcome, EnrichmentError):
        detail = error_detail(outcome)
        return {"status": STATUS[type(outcome)], "error": detail.model_dump()}
    asked, key = item
    body = submission.as_first_answered(outcome.request, asked.external_id)
    accepted = {"status": 201, "enrichment": submission.to_response(body).to_json()}
    return accepted | ({"idempotent_replayed": outcome.replayed} if key else {})


async def _get(request: Request) -> Response:
    service: ServiceContext = request.app.service
    get = submission.reader(service, request.path_params["id"])
    team_id, found = await _authenticated(request, get)
    wait = preferred_wait(request)
    found = await submission.wait_until_final(service, team_id, found, wait or 0)
    return JSONResponse(submission.to_response(found).to_json(), headers=_applied(wait))


def _applied(wait: int | None) -> dict[str, str]:
    return {} if wait is None else {"Preference-Applied": f"wait={wait}"}


async def _credits(request: Request) -> Response:
    _, balance = await _authenticated(request, ledger.balance)
    return JSONResponse(Credits(balance=balance.available, held=balance.held).model_dump())


async def _history(request: Request) -> Response:
    team_id = await _team_id(request)
    limit = whole_number(request, "limit", default=HISTORY_PAGE, most=HISTORY_PAGE)
    before = whole_number(request, "before", default=None)
    entries = await request.app.service.database.read(
        lambda c: ledger.history(c, team_id, limit=limit or HISTORY_PAGE, before=before)
    )
    return JSONResponse(History(entries=entries).model_dump(mode="json"))


async def _openapi(_request: Request) -> Response:
    return JSONResponse(document())


async def _team_id(request: Request) -> int:
    """The caller's team. Counts the request."""
    return (await _authenticated(request, lambda _connection, _team_id: None))[0]


async def _authenticated(request: Request, read: Callable[[Any, int], T]) -> tuple[int, T]:
    """The caller's team, and the result of `read` for it in the same transaction. Counts the
    request."""
    app: ServiceApp = request.app
    key = request.headers.get(KEY_HEADER, "")
    with app.anonymous_limit.authenticating(request) if app.anonymous_limit else nullcontext():
        if not key_id_of(key):
            raise Unauthorized

        def work(connection: Any) -> tuple[int, T]:
            if (caller := team_of(connection, key)) is None:
                raise Unauthorized
            return caller, read(connection, caller)

        found = await app.service.database.read_few(work)
    if app.rate_limit:
        try:
            app.rate_limit.take(key_id_of(key))
        finally:  # every response has the rest of the quota
            request.state.quota = app.rate_limit.headers(key_id_of(key))
    return found


def _count_more(request: Request, requests: int) -> None:
    """Count so many more requests of the caller, who is authenticated."""
    app: ServiceApp = request.app
    if app.rate_limit:
        caller = key_id_of(request.headers.get(KEY_HEADER, ""))
        app.rate_limit.charge(caller, requests)
        request.state.quota = app.rate_limit.headers(caller)
