"""Limits, identifies, times and logs every request, without personal data."""

from __future__ import annotations

import contextvars
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from mcp_enrichment import tracing
from mcp_enrichment.service.http.errors import REQUEST_ID, common_headers, http_error_response
from mcp_enrichment.service.metrics import HTTP_REQUESTS, HTTP_SECONDS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

MAX_PATH = 2048
"""Bytes of path and query."""
MAX_HEADERS = 16 * 1024
"""Bytes of all headers together."""

current_request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "request_id", default=None
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
_GIVEN_ID = re.compile(r"[0-9a-f]{16,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""Hex digits or a UUID: no personal data."""


class RequestMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status, unread = 500, _has_body(scope)
        began = time.perf_counter()

        async def receive_all() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and message.get("more_body", False)
            return message

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(common_headers(scope))
                if unread:  # the unread rest is not a next request, and is not waited for
                    headers["Connection"] = "close"
            await send(message)

        # Not reset: the server logs exceptions of the application after this has returned, and each
        # request has its own context.
        current_request_id.set(request_id)
        parent = Headers(scope=scope).get(tracing.TRACEPARENT)
        with tracing.span("HTTP", tracing.SpanKind.SERVER, parent=parent):
            try:
                await (_too_large(scope) or self._app)(scope, receive_all, send_named)
            finally:
                _record(scope, status, time.perf_counter() - began)


def _id_of(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


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
    told = {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    tracing.annotate(told, name=f"{method} {route}")
    HTTP_REQUESTS.labels(route=route, status=str(status)).inc()
    HTTP_SECONDS.labels(route=route).observe(seconds)
    logger.info(
        "answered",
        extra={
            "fields": {
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
            }
        },
    )
