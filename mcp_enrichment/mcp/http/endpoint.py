"""The endpoint `/mcp`: authentication, rate limit and body, before the SDK gets the request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from starlette.datastructures import Headers, MutableHeaders

from mcp_enrichment.contract.errors import RateLimited
from mcp_enrichment.mcp.http.auth.principal import AuthorizedRequest, Scope, current_request
from mcp_enrichment.mcp.http.http_error import HTTPError
from mcp_enrichment.mcp.http.request import (
    CalledTool,
    accepts_events,
    normalize_headers,
    parse_called_tool,
    read_body,
    replay_body,
)
from mcp_enrichment.mcp.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Send
    from starlette.types import Scope as Connection

    from mcp_enrichment.mcp.http.auth.authenticator import Authenticator
    from mcp_enrichment.mcp.http.auth.principal import Principal

SPENDING = frozenset(tool.name for tool in TOOLS if tool.spends)
TOO_MANY_WRONG = "Too many wrong credentials from this address. Wait as Retry-After says."
TOO_MANY = "Too many requests with this credential. Wait as Retry-After says."


class PrincipalLimit(Protocol):
    """The rate limit of each principal."""

    def take(self, caller: str) -> None:
        """Count one request. Raises `RateLimited` if none is left."""

    def headers(self, caller: str) -> Mapping[str, str]:
        """The response headers with what is left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """The ASGI application of `/mcp`."""

    streaming: ASGIApp
    """The SDK with streams: progress, and cancellation when the client disconnects."""
    plain: ASGIApp
    """The SDK without streams, for quick tools: two thirds of the cost."""
    authenticator: Authenticator
    limit: PrincipalLimit
    count_wrong: Callable[[str], None] | None = None
    """Counts a wrong credential from an IP address. Raises `RateLimited`."""

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        try:
            principal = await self._authenticate(scope)
            send = _with_headers(send, lambda: self.limit.headers(principal.name))
            request, tool, body = await self._authorize(scope, receive, principal)
        except HTTPError as error:
            await error.response()(scope, receive, send)
        else:
            current_request.set(request)  # never reset: each request has its own context
            scope = normalize_headers(scope)
            # A client that accepts no stream gets the response without progress.
            is_plain = tool.is_quick or not accepts_events(scope)
            mcp = self.plain if is_plain else self.streaming
            await mcp(scope, replay_body(body, receive), send)

    async def _authenticate(self, scope: Connection) -> Principal:
        """Raises `HTTPError`. A request without a credential is not counted as wrong: clients send
        one to find the issuer."""
        headers = Headers(scope=scope)
        try:
            return await self.authenticator.authenticate(headers)
        except HTTPError as error:
            if error.status == HTTPStatus.UNAUTHORIZED and "authorization" in headers:
                self._count_wrong(scope["client"])
            raise

    def _count_wrong(self, client: tuple[str, int] | None) -> None:
        if self.count_wrong and client:
            try:
                self.count_wrong(client[0])
            except RateLimited as error:
                raise _rate_limited(TOO_MANY_WRONG, error) from None

    async def _authorize(
        self, scope: Connection, receive: Receive, principal: Principal
    ) -> tuple[AuthorizedRequest, CalledTool, bytes]:
        if scope["method"] != "POST":
            # Without sessions there is no stream to GET and nothing to DELETE.
            raise HTTPError(405, "Send a POST.", headers={"Allow": "POST"})
        over_limit = self._count(principal)
        body = await read_body(receive)
        tool, body = parse_called_tool(body)
        if over_limit and tool.name is None:
            raise _rate_limited(TOO_MANY, over_limit)
        self._check_scope(principal, tool.name)
        reauthenticate = partial(self.authenticator.authenticate, Headers(scope=scope))
        request = AuthorizedRequest(
            principal=principal, reauthenticate=reauthenticate, over_limit=over_limit
        )
        return request, tool, body

    def _count(self, principal: Principal) -> RateLimited | None:
        try:
            self.limit.take(principal.name)
        except RateLimited as error:
            return error
        return None

    def _check_scope(self, principal: Principal, tool: str | None) -> None:
        """A 403 lets the client ask its user for more scopes. Each call checks them again."""
        needed = Scope.SPEND if tool in SPENDING else Scope.READ
        if not principal.may(needed):
            raise self.authenticator.challenges.missing(needed)


def _rate_limited(sentence: str, error: RateLimited) -> HTTPError:
    wait = math.ceil(error.retry_after or 1)
    return HTTPError(429, sentence, headers={"Retry-After": str(wait)})


def _with_headers(send: Send, headers: Callable[[], Mapping[str, str]]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers())
        await send(message)

    return send_with_headers
