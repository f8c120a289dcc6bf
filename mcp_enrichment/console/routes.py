"""The routes of the console: pages to read, and actions that only its own forms start."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from mcp_enrichment.console import sign_in, static_files
from mcp_enrichment.console.live import live
from mcp_enrichment.console.pages import ACTIONS, PAGES, UPLOAD
from mcp_enrichment.console.rendering import HEADERS
from mcp_enrichment.console.visits import COOKIES, ROOT, Refused, Visit
from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import EnrichmentError
from mcp_enrichment.service.http.errors import STATUS
from mcp_enrichment.service.http.service_app import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from mcp_enrichment.console.console import Console
    from mcp_enrichment.console.pages import Handler

logger = logging.getLogger(__name__)

MAX_FORM = 64 * 1024
"""Bytes of a form without a file."""
MAX_UPLOAD = 32 * 2**20
"""Bytes of a form with a file: it is received within ten seconds, or not at all."""
TOO_LARGE = Refused(
    413,
    f"The form is larger than {MAX_UPLOAD // 2**20} MiB, or has no length.",
    "Nothing was stored. `mcp-enrichment contacts import` takes a file of any size.",
)
SIGNED_OUT = Refused(
    401, "You are not signed in, or your session has ended.", "Nothing happened. Sign in again."
)
FORGED = Refused(
    403,
    "This form was not sent by this console, or it is from an earlier session.",
    "Nothing happened. Go back to the page and try again.",
)
UNREADABLE = Refused(400, "The form cannot be read.", "Nothing happened.")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
NEIGHBOUR = Refused(
    403,
    "This console shows itself to the user who started it.",
    "Start it as the user whose browser opens it.",
)
MISSING = Refused(404, "There is nothing at this address.", "The links above lead to all pages.")


def routes(console: Console) -> Sequence[Route]:
    """All paths below `/console`."""

    def reads(path: str, show: Handler, *, public: bool = False) -> Route:
        return _route(console, ROOT + path, show, "GET", public=public)

    def acts(path: str, act: Handler, *, public: bool = False) -> Route:
        return _route(console, ROOT + path, act, "POST", public=public)

    return [
        *(reads(path, show) for path, show in PAGES.items()),
        *(acts(path, act) for path, act in ACTIONS.items()),
        reads("/live", live),
        reads("/sign-in", sign_in.form, public=True),
        acts("/sign-in", sign_in.sign_in, public=True),
        acts("/sign-out", sign_in.sign_out),
        reads("/open", sign_in.open_link, public=True),
        reads("/static/{name}", static_files.serve, public=True),
        _route(console, ROOT + "/{path:path}", _missing, None, public=True),
    ]


async def _missing(visit: Visit) -> Response:
    if not visit.request.path_params["path"]:  # "/console/", as people type it
        return visit.to("")
    raise MISSING


def _route(
    console: Console, path: str, handle: Handler, method: str | None, *, public: bool
) -> Route:
    async def answer(request: Request) -> Response:
        visit = Visit(
            console=console, request=request, session=console.sessions.start(), is_signed_in=False
        )
        try:
            _check_neighbour(visit)
            await _find_session(visit)
            _check_text(request.query_params.values())
            if method == "POST":
                await _check_form(visit, public=public)
            is_closed = not public and not visit.is_signed_in
            response = visit.to("/sign-in") if is_closed else await handle(visit)
        except Exception as error:  # noqa: BLE001 (each becomes a page; a defect is logged)
            response = _refusal(visit, error)
        await request.close()  # deletes an uploaded file
        response.headers.update(HEADERS)
        return response

    return Route(path, Endpoint(answer), methods=[method] if method else None)


def _check_neighbour(visit: Visit) -> None:
    """Raise `Refused` for another user of this machine."""
    ends = visit.request.scope["client"], visit.request.scope["server"]
    if not visit.console.admits(*ends):
        raise NEIGHBOUR


async def _find_session(visit: Visit) -> None:
    """Go on with the session of a cookie. One whose key was revoked counts no more."""
    console = visit.console
    for cookie in COOKIES.values():
        session = console.sessions.read(visit.request.cookies.get(cookie, ""))
        if session is None:
            continue
        is_signed_in = await console.is_signed_in(session)
        if is_signed_in or not session.key_id:
            visit.session, visit.is_signed_in = session, is_signed_in
            return


async def _check_form(visit: Visit, *, public: bool) -> None:
    """Read the form. Raises `Refused` unless it is of this session and of this origin."""
    if not public and not visit.is_signed_in:
        raise SIGNED_OUT
    if not _is_same_origin(visit.request):
        raise FORGED
    length = visit.request.headers.get("content-length", "")
    most = MAX_UPLOAD if visit.request.url.path == ROOT + UPLOAD else MAX_FORM
    if not length.isdecimal() or int(length) > most:
        raise TOO_LARGE
    form = await visit.request.form(max_files=1, max_fields=100, max_part_size=MAX_FORM)
    visit.form = {name: value for name, value in form.items() if isinstance(value, str)}
    visit.file = next((value for value in form.values() if not isinstance(value, str)), None)
    _check_text(visit.form.values())
    if not visit.console.sessions.is_token(visit.session, visit.form.get("token", "")):
        raise FORGED


def _check_text(texts: Iterable[str]) -> None:
    """Raise `Refused` for a null character or half a surrogate pair, which no Postgres text may
    have. A form may have the latter, as it names its own encoding."""
    if any(_UNSTORABLE.search(text) for text in texts):
        raise UNREADABLE


def _is_same_origin(request: Request) -> bool:
    """Whether the browser says so, or says nothing, as old ones do."""
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def _refusal(visit: Visit, error: Exception) -> Response:
    if isinstance(error, Refused):
        return _error_page(visit, error)
    if isinstance(error, EnrichmentError):
        return _error_page(visit, Refused(STATUS[type(error)], error.to_person(), ""))
    if isinstance(error, HTTPException | ClientDisconnect):
        return _error_page(visit, UNREADABLE)
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        return _error_page(visit, Refused(500, f"A file cannot be written or read: {why}.", ""))
    logger.error("a page raised %s", safe_traceback(error))
    return _error_page(visit, Refused(500, "The console failed.", "The log says where."))


def _error_page(visit: Visit, refused: Refused) -> Response:
    return visit.page(
        "error.html", status=refused.status, says=refused.says, what_to_do=refused.what_to_do
    )
