"""The ASGI application: limits, identifies, times and logs every request, without personal data."""

from __future__ import annotations

import contextvars
import logging
import re
import time
from dataclasses import dataclass
from random import getrandbits
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Router

from mcp_enrichment import tracing
from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import EnrichmentError
from mcp_enrichment.contract.http import BATCH_LIMIT
from mcp_enrichment.contract.models import MAX_BATCH
from mcp_enrichment.service.http.errors import (
    REQUEST_ID,
    defect_response,
    error_response,
    http_error_response,
)
from mcp_enrichment.service.http.rate_limit import AnonymousLimit
from mcp_enrichment.service.metrics import HTTP_REQUESTS, HTTP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.responses import Response
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.http.rate_limit import RateLimit

logger = logging.getLogger(__name__)

MAX_PATH = 2048
"""Bytes of path and query."""
MAX_HEADERS = 16 * 1024
"""Bytes of all headers together."""

current_request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "request_id", default=None
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
_REQUEST_ID = REQUEST_ID.lower().encode()
_TAKES_BATCHES = (BATCH_LIMIT.lower().encode(), str(MAX_BATCH).encode())
_TRACEPARENT = tracing.TRACEPARENT.encode()
_GIVEN_ID = re.compile(rb"[0-9a-f]{16,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""Hex digits or a UUID: no personal data."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The handler of a route as an ASGI application."""

    handle: Callable[[Request], Awaitable[Response]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.handle(Request(scope, receive))
        await response(scope, receive, send)


class ServiceApp:
    """The routes of one service. Its attributes are for their handlers."""

    def __init__(
        self,
        routes: Sequence[Route],
        service: ServiceContext,
        rate_limit: RateLimit | None,
    ) -> None:
        self.service, self.rate_limit = service, rate_limit
        self.anonymous_limit = AnonymousLimit(rate_limit) if rate_limit else None
        # The contract has no redirects: an empty id is a 404.
        self._router = Router(routes, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        scope.setdefault("state", {})
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        headers = dict(reversed(scope["headers"]))  # of several of a name the first counts
        given_id = headers.get(_REQUEST_ID, b"")
        request_id = given_id if _GIVEN_ID.fullmatch(given_id) else _new_id()
        # Not reset: the server logs exceptions of the application after this has returned, and each
        # request has its own context.
        current_request_id.set(request_id.decode())
        unread = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        exchange = _Exchange(scope, receive, send, request_id, unread)
        started = time.perf_counter()
        parent = headers.get(_TRACEPARENT, b"").decode("latin-1")
        with tracing.span("HTTP", tracing.SpanKind.SERVER, parent=parent):
            try:
                await exchange.answer(_too_large(scope) or self._router)
            finally:
                _record(scope, exchange.status or 500, time.perf_counter() - started)


@dataclass(slots=True)
class _Exchange:
    """One request and its response."""

    scope: Scope
    _receive: Receive
    _send: Send
    _request_id: bytes
    _unread: bool
    """Whether there is more of the body."""
    status: int = 0
    """0 before the response has begun."""

    async def answer(self, app: ASGIApp) -> None:
        """Run the application. An error becomes its response."""
        try:
            await app(self.scope, self.receive, self.send)
        except EnrichmentError as error:
            await error_response(error)(self.scope, self.receive, self.send)
        except HTTPException as error:
            refusal = http_error_response(error.status_code, error.headers)
            await refusal(self.scope, self.receive, self.send)
        except Exception as defect:
            # Its type and place are logged. The caller sees neither.
            logger.error("a request raised %s", safe_traceback(defect))  # noqa: TRY400
            if not self.status:
                await defect_response()(self.scope, self.receive, self.send)
            raise

    async def receive(self) -> Message:
        message = await self._receive()
        self._unread = self._unread and message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            quota = self.scope["state"].get("quota", {})
            message["headers"] += [
                (_REQUEST_ID, self._request_id),
                _TAKES_BATCHES,
                *((name.lower().encode(), value.encode()) for name, value in quota.items()),
            ]
            if self._unread:  # the unread rest is not a next request, and is not waited for
                message["headers"].append((b"connection", b"close"))
        await self._send(message)


def _new_id() -> bytes:
    # It is no secret, and the system's random bytes cost a change of threads under load.
    return f"{getrandbits(64):016x}".encode()


def _too_large(scope: Scope) -> ASGIApp | None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_PATH:
        return http_error_response(414)
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
        return http_error_response(431)
    return None


def _record(scope: Scope, status: int, seconds: float) -> None:
    # The route's pattern, not the path, which may contain anything.
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in _METHODS else "?"
    if tracing.is_set_up():
        attributes = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
        }
        tracing.annotate(attributes, name=f"{method} {route}")
    HTTP_REQUESTS.labels(route, str(status)).inc()
    HTTP_SECONDS.labels(route).observe(seconds)
    if logger.isEnabledFor(logging.INFO):
        fields = {"method": method, "route": route, "status": status}
        fields["milliseconds"] = round(seconds * 1000, 1)
        logger.info("answered", extra={"fields": fields})
