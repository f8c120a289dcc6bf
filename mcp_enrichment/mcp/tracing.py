"""The SDK's span of each message, without text of the client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS

from mcp_enrichment import tracing

if TYPE_CHECKING:
    from collections.abc import Collection

    from mcp.server.context import (
        CallNext,
        HandlerResult,
        ServerMiddleware,
        ServerRequestContext,
    )

_METHODS = {*SPEC_CLIENT_METHODS, *SPEC_CLIENT_NOTIFICATION_METHODS}


class TracingMiddleware:
    """Continues the trace of `_meta` or, over HTTP, of the request's header.

    Without either, and if nobody records spans, it does nothing.
    """

    def __init__(
        self, spans: ServerMiddleware[Any], *, methods: Collection[str], names: Collection[str]
    ) -> None:
        """`spans`: the SDK's middleware. `methods`: the served ones that MCP does not define.
        `names`: of tools and prompts."""
        self._spans = spans
        self._methods = _METHODS.union(methods)
        self._names = frozenset(names)

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        header = ctx.request.headers.get(tracing.TRACEPARENT) if ctx.request else None
        if not (header or tracing.TRACEPARENT in (ctx.meta or {}) or tracing.is_set_up()):
            return await call_next(ctx)

        async def call_unredacted(_redacted: ServerRequestContext[Any, Any]) -> HandlerResult:
            return await call_next(ctx)

        with tracing.continue_trace(header):
            return await self._spans(self._redacted(ctx), call_unredacted)

    def _redacted(self, ctx: ServerRequestContext[Any, Any]) -> ServerRequestContext[Any, Any]:
        """The message for its span: known methods and names, and ids that are numbers."""
        name = (ctx.params or {}).get("name")
        return replace(
            ctx,
            method=ctx.method if ctx.method in self._methods else "unknown",
            params={"name": name} if isinstance(name, str) and name in self._names else None,
            request_id=ctx.request_id if isinstance(ctx.request_id, int) else None,
        )
