"""One request to the console, from its session to the response."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, RedirectResponse

from mcp_enrichment.console.rendering import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import UploadFile
    from starlette.requests import Request
    from starlette.responses import Response

    from mcp_enrichment.console.console import Console
    from mcp_enrichment.console.sessions import Session

ROOT = "/console"
COOKIES = {True: "mcp-enrichment-console", False: "mcp-enrichment-visitor"}
"""Of a session with a key, and of one without. A link on another site opens the console without
cookies: the new session that this begins does not replace the one with a key."""
DONE_COOKIE = "mcp-enrichment-done"
"""The cookie with the report of the last action, for the page that follows it."""
DONE_SECONDS = 60
MAX_DONE = 1000
"""Characters, as a cookie holds 4 KiB."""
_PLACE = re.compile(r"[0-9]{1,18}")
CONFIRMED = "once"
"""The field of a confirmation. Its value is used once."""


class Refused(Exception):
    """The request is refused, and nothing happened."""

    def __init__(self, status: int, says: str, what_to_do: str) -> None:
        super().__init__(says)
        self.status, self.says, self.what_to_do = status, says, what_to_do


@dataclass(kw_only=True, slots=True)
class Visit:
    """A request with its session, and after a POST with its form."""

    console: Console
    request: Request
    session: Session
    is_signed_in: bool
    form: Mapping[str, str] = field(default_factory=dict)
    file: UploadFile | None = None
    """The file of the form."""

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """The page of a template."""
        done = self.console.sessions.unseal("done", self.request.cookies.get(DONE_COOKIE, ""))
        shared = {
            "root": ROOT,
            "path": self.request.url.path,
            "is_local": self.console.is_local,
            "is_signed_in": self.is_signed_in,
            "token": self.console.sessions.token(self.session),
            "done": done,
            "is_live": self.request.method == "GET" and status == 200 and self.is_signed_in,  # noqa: PLR2004 (OK)
        }
        response = HTMLResponse(render(template, **shared | values), status)
        if done:
            response.delete_cookie(DONE_COOKIE, path=ROOT)
        return self.with_session(response)

    def with_session(self, response: Response) -> Response:
        """The response with the session's cookie, if the browser does not have it."""
        name = COOKIES[bool(self.session.key_id)]
        cookie = self.console.sessions.cookie(self.session)
        if self.request.cookies.get(name) != cookie:
            self._set_cookie(response, name, cookie)
        return response

    def to(self, path: str, *, done: str = "") -> Response:
        """Go to a page, which says what was done."""
        response = RedirectResponse(f"{ROOT}{path}", 303)
        if done:
            sealed = self.console.sessions.seal("done", done[:MAX_DONE])
            self._set_cookie(response, DONE_COOKIE, sealed, seconds=DONE_SECONDS)
        return self.with_session(response)

    def place(self, name: str) -> int | None:
        """The parameter that says where a page of a list begins; None for another value."""
        given = self.request.query_params.get(name, "")
        return int(given) if _PLACE.fullmatch(given) else None

    def ask(self, says: str, button: str, *, back: str, **fields: str) -> Response | None:
        """The question before an action; None once the form has answered it.

        `fields`: of the form, which are sent again with the answer. Raises `Refused` if the answer
        was used before.
        """
        once = self.form.get(CONFIRMED)
        if once is None:
            hidden = fields | {CONFIRMED: secrets.token_hex(16)}
            return self.page("ask.html", says=says, button=button, back=back, hidden=hidden)
        if not self.console.use_once(once):
            raise Refused(
                409, "This was sent before.", "It is not done twice. Its page shows the outcome."
            )
        return None

    def _set_cookie(
        self, response: Response, name: str, value: str, seconds: int | None = None
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=ROOT,
            secure=self.request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
