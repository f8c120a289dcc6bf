"""A browser without a screen: it keeps cookies, follows redirects, and fills in forms."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx

from mcp_enrichment.console.console import Console
from mcp_enrichment.console.routes import routes
from mcp_enrichment.console.sessions import Sessions
from mcp_enrichment.service.accounts import api_keys
from mcp_enrichment.service.http.app import create_app
from mcp_enrichment.service.http.rate_limit import RateLimit
from tests.support.running_service import RunningService, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.databases import Place

SECRET = b"s" * 32
HERE = {"sec-fetch-site": "same-origin"}


class _Page(HTMLParser):
    """The forms and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.words: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({})
        if tag in ("input", "button") and "name" in given and self.forms:
            self.forms[-1][given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """One browser at a console."""

    it: RunningService
    console: Console
    http: httpx.AsyncClient

    async def read(self, path: str = "", status: int = 200) -> str:
        """The text of a page, without its markup."""
        return text_of(await self.get(path, status))

    async def get(self, path: str = "", status: int = 200) -> httpx.Response:
        answer = await self.http.get(f"/console{path}", headers=HERE)
        assert answer.status_code == status, answer.text
        return answer

    async def post(self, path: str, *, status: int = 200, **fields: str) -> httpx.Response:
        """Send a form with the session's token, and follow to the page after it."""
        return await self.send(path, {"token": await self.token()} | fields, status=status)

    async def send(
        self, path: str, fields: dict[str, str], *, status: int = 200, **options: Any
    ) -> httpx.Response:
        answer = await self.http.post(
            f"/console{path}", data=fields, headers=options.pop("headers", HERE), **options
        )
        assert answer.status_code == status, answer.text
        return answer

    async def confirm(self, path: str, *, status: int = 200, **fields: str) -> httpx.Response:
        """Send a form, and confirm what the page then asks."""
        asked = await self.post(path, **fields)
        return await self.send(path, form_of(asked, "once"), status=status)

    async def token(self) -> str:
        """The token of this session's forms."""
        page = await self.http.get("/console/sign-in", headers=HERE)
        return form_of(page, "token")["token"]

    async def sign_in(self) -> str:
        """Sign in with a new operator's key; return the key."""
        key = await create_operator_key(self)
        await self.post("/sign-in", key=key)
        return key


async def create_operator_key(visitor: Visitor) -> str:
    """A new key of an operator."""
    service = visitor.it.service
    made = await service.database.write(lambda c: api_keys.create(c, None, at=service.clock()))
    return made.key


def text_of(answer: httpx.Response) -> str:
    """The text of the page."""
    return _Page(answer.text).text


def older_page(html: str) -> str:
    """The path of the page that follows in a list; empty on the last one."""
    link = html.partition('rel="next" href="/console')[2].partition('"')[0]
    return link.replace("&amp;", "&")


def form_of(answer: httpx.Response, field: str) -> dict[str, str]:
    """The hidden fields of the page's first form that has this field."""
    return next(form for form in _Page(answer.text).forms if field in form)


@asynccontextmanager
async def visited_console(
    place: Place, *sources: Any, signed_in: bool = True, is_local: bool = False, **options: Any
) -> AsyncIterator[Visitor]:
    """A console over a service, and a browser. `options` are of the service."""
    console_options = {k: options.pop(k) for k in ("facts", "examine", "forget") if k in options}
    async with running_service(place, *sources, **{"jobs": False} | options) as it:
        service = it.service
        console = Console(
            service=service,
            sessions=Sessions(SECRET, service.clock),
            sign_in_limit=RateLimit(quota=600, clock=service.clock),
            is_local=is_local,
            **console_options,
        )
        app = create_app(service, further=routes(console))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            console.uploads,
            httpx.AsyncClient(
                transport=transport, base_url="http://it", follow_redirects=True
            ) as http,
        ):
            visitor = Visitor(it=it, console=console, http=http)
            if signed_in and is_local:
                await visitor.get(f"/open?token={console.link_token}")
            elif signed_in:
                await visitor.sign_in()
            yield visitor
