"""`/mcp`: what stands between a socket and the protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from starlette.datastructures import Headers, MutableHeaders

from mcp_enrichment.contract.errors import RateLimited
from mcp_enrichment.mcp.http.auth.principal import AuthorizedRequest, Scope, current_request
from mcp_enrichment.mcp.http.called_tool import CalledTool, parse_called_tool
from mcp_enrichment.mcp.http.headers import accepts_events, normalize_headers
from mcp_enrichment.mcp.http.http_error import HTTPError
from mcp_enrichment.mcp.http.request_body import read_body, replay_body
from mcp_enrichment.mcp.sse_fast_path import EventStream, stream_of_call
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


class Limit(Protocol):
    """Counts the requests of each caller."""

    def take(self, caller: str) -> None:
        """Count one. Raises `RateLimited` where none is left."""

    def headers(self, caller: str) -> Mapping[str, str]:
        """What is left, for the answer's headers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """The ASGI application of the one route."""

    streaming: ASGIApp
    """The protocol, with progress, and with an end to the work for whoever hangs up."""
    plain: ASGIApp
    """The protocol for what is quick: at two thirds of the cost, without either."""
    credentials: Authenticator
    limit: Limit
    wrong: Callable[[str], None] | None = None
    """Counts a wrong credential from that address. Raises `RateLimited` for too many."""

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        try:
            caller = await self._known(scope)
            stream_of_call.set(stream := EventStream(send))
            send = _with_headers(stream, lambda: self.limit.headers(caller.name))
            call, asked, body = await self._admitted(scope, receive, caller)
        except HTTPError as error:
            await error.answer()(scope, receive, send)
        else:
            current_request.set(call)  # never reset: each request has a context of its own
            scope = normalize_headers(scope)
            # A client that takes no stream is given the answer alone, and no progress.
            is_plain = asked.is_quick or not accepts_events(scope)
            mcp = self.plain if is_plain else self.streaming
            await mcp(scope, replay_body(body, receive), send)

    async def _known(self, scope: Connection) -> Principal:
        """Who is calling. What bears no credential costs no look for it, and is not counted: that
        is how a client begins to look for the issuer."""
        headers = Headers(scope=scope)
        try:
            return await self.credentials.caller_of(headers)
        except HTTPError as error:
            if error.status == HTTPStatus.UNAUTHORIZED and "authorization" in headers:
                self._count_wrong(scope["client"])
            raise

    def _count_wrong(self, client: tuple[str, int] | None) -> None:
        if self.wrong and client:
            try:
                self.wrong(client[0])
            except RateLimited as error:
                raise _limited(TOO_MANY_WRONG, error) from None

    async def _admitted(
        self, scope: Connection, receive: Receive, caller: Principal
    ) -> tuple[AuthorizedRequest, CalledTool, bytes]:
        if scope["method"] != "POST":
            # No sessions: there is nothing to listen to by GET, and nothing to end by DELETE.
            raise HTTPError(405, "Send a POST.", headers={"Allow": "POST"})
        over_limit = self._counted(caller)
        body = await read_body(receive)
        asked, body = parse_called_tool(body)
        if over_limit and asked.tool is None:
            raise _limited(TOO_MANY, over_limit)
        self._check_scope(caller, asked.tool)
        anew = partial(self.credentials.caller_of, Headers(scope=scope))
        return (
            AuthorizedRequest(caller=caller, reauthenticate=anew, over_limit=over_limit),
            asked,
            body,
        )

    def _counted(self, caller: Principal) -> RateLimited | None:
        try:
            self.limit.take(caller.name)
        except RateLimited as error:
            return error
        return None

    def _check_scope(self, caller: Principal, tool: str | None) -> None:
        """For a client that can ask its user for more. What a call may do is decided where it is
        done, whatever the body was taken for here."""
        needed = Scope.SPEND if tool in SPENDING else Scope.READ
        if not caller.may(needed):
            raise self.credentials.challenges.missing(needed)


def _limited(sentence: str, error: RateLimited) -> HTTPError:
    wait = math.ceil(error.retry_after or 1)
    return HTTPError(429, sentence, headers={"Retry-After": str(wait)})


def _with_headers(send: Send, headers: Callable[[], Mapping[str, str]]) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers())
        await send(message)

    return send_with
