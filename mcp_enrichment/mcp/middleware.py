"""The middleware of the server: it traces each message, and normalizes arguments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS

from mcp_enrichment import tracing
from mcp_enrichment.mcp.arguments import arguments_object
from mcp_enrichment.mcp.elicitation import readable_replies

if TYPE_CHECKING:
    from collections.abc import Collection

    from mcp.server.context import (
        CallNext,
        HandlerResult,
        ServerMiddleware,
        ServerRequestContext,
    )

_METHODS = {*SPEC_CLIENT_METHODS, *SPEC_CLIENT_NOTIFICATION_METHODS}
_WITH_ARGUMENTS = {"tools/call", "prompts/get"}
_REPLIES = "inputResponses"
_NO_OBJECT = (
    "The arguments of a call must be a JSON object, such as {}. Nothing was sent and nothing "
    "charged. Send them as an object."
)


async def normalize_arguments(
    ctx: ServerRequestContext[Any, Any], call_next: CallNext
) -> HandlerResult:
    """Convert the arguments that clients send to an object, and drop a malformed reply to a
    question. The SDK would refuse both before the handler runs, and its error would not say that
    nothing was charged."""
    if ctx.method in _WITH_ARGUMENTS and ctx.params is not None:
        given = arguments_object(ctx.params.get("arguments"))
        if not isinstance(given, dict):
            raise MCPError(INVALID_PARAMS, _NO_OBJECT)
        given = {name: value for name, value in given.items() if value is not None}
        params = {**ctx.params, "arguments": given}
        if params.get(_REPLIES) is not None:
            params[_REPLIES] = readable_replies(params[_REPLIES])
        ctx = replace(ctx, params=params)
    return await call_next(ctx)


class TracingMiddleware:
    """The SDK's span of each message, without text of the client.

    It continues the trace of `_meta` or, over HTTP, of the request's header.

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
