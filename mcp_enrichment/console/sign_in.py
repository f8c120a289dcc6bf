"""Signing in with an operator's key, or with the link that opens a local console."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_enrichment.console.sessions import LOCAL
from mcp_enrichment.console.visits import COOKIES, ROOT, Refused
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.http.rate_limit import peer_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

WRONG_KEY = Refused(
    403,
    "This is not the key of an operator, or it was revoked.",
    "Nothing happened. `mcp-enrichment keys create --operator` makes one.",
)
USED_LINK = Refused(
    403,
    "This link was used already, or it is of an earlier start.",
    "Nothing happened. Start `mcp-enrichment console` again for a new link. If you have not used "
    "this one, end the running console first: somebody else on this machine has opened it.",
)


async def form(visit: Visit) -> Response:
    """The form for the key."""
    return visit.to("") if visit.is_signed_in else visit.page("sign_in.html")


async def sign_in(visit: Visit) -> Response:
    """Begin a session with a key. Raises `Refused` for a wrong one, `RateLimited` for too many."""
    console, key = visit.console, visit.form.get("key", "").strip()
    client = visit.request.client
    console.sign_in_limit.take(peer_of(client.host) if client else "")
    database = console.service.database
    is_valid = await database.read_few(lambda c: api_keys.is_operators(c, key))
    if console.is_local or not is_valid:
        raise WRONG_KEY
    begun = replace(visit, session=console.sessions.start(api_keys.key_id_of(key)))
    return begun.to("")


async def sign_out(visit: Visit) -> Response:
    """End the session in this browser."""
    response = replace(visit, session=visit.console.sessions.start()).to("/sign-in")
    response.delete_cookie(COOKIES[True], path=ROOT)
    return response


async def open_link(visit: Visit) -> Response:
    """Begin the session of a local console. The page then goes on by itself: a browser that came
    from another site would not send the cookie after a redirect."""
    if visit.is_signed_in:
        return visit.to("")
    if not visit.console.use_link(visit.request.query_params.get("token", "")):
        raise USED_LINK
    return replace(visit, session=visit.console.sessions.start(LOCAL)).page("opened.html")
