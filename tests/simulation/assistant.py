"""People who ask an assistant: it calls the tools of our MCP server, over the SDK's client."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mcp import Client

from mcp_enrichment.app.client import lazy_client
from mcp_enrichment.contract.errors import EnrichmentError, OutcomeUnknown
from mcp_enrichment.contract.models import Status
from mcp_enrichment.mcp.server import create_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mcp_enrichment.settings import Settings
    from tests.simulation.world import World


class Assistant:
    """Asks through a tool as `EnrichmentClient.request` does."""

    def __init__(self, world: World, tools: Client) -> None:
        self._world, self._tools = world, tools

    async def request(
        self,
        linkedin_url: str,
        kind: str,
        *,
        wait: float,
        **options: Any,
    ) -> Any:
        """The answer of the tool. Raises the error that it reports."""
        given = {name: value for name, value in options.items() if value is not None}
        given |= {"linkedin_url": linkedin_url, "type": kind, "wait_seconds": wait}
        answered = await self._tools.call_tool("request_email_enrichment", given)
        if answered.is_error:
            raise _error(dict((answered.meta or {})["error"])["code"])
        body: Any = answered.structured_content
        # A tool has no field for the reason; an answer that is withheld is the one it matters for.
        person = linkedin_url.rpartition("/")[2]
        is_withheld = linkedin_url in self._world.truth.suppressed or person in self._world.gone
        return SimpleNamespace(
            id=body["id"],
            status=Status(body["status"]),
            email=body["email"],
            reason="suppressed" if is_withheld and not body["email"] else None,
            is_final=body["is_final"],
            reused=body["reused"],
        )

    async def credits(self) -> Any:
        """Ask for the balance."""
        return await self._tools.call_tool("get_credits", {})


def _error(code: str) -> EnrichmentError:
    """An error with this code."""
    if code == OutcomeUnknown.code:
        return OutcomeUnknown()
    return next(kind() for kind in _kinds(EnrichmentError) if vars(kind).get("code") == code)


def _kinds(kind: type[EnrichmentError]) -> Iterator[type[EnrichmentError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


@asynccontextmanager
async def assistant(world: World, settings: Settings, era: str) -> AsyncIterator[Assistant]:
    """An assistant with a server of its own, whose client has or has no handshake."""
    async with (
        lazy_client(settings) as get_client,
        Client(create_server(get_client), mode=era) as tools,
    ):
        yield Assistant(world, tools)
