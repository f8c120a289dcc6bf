"""The tools as a client calls them, and the vendor's responses behind them."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp import Client
from mcp.types import TextContent

import mcp_enrichment.client.client  # noqa: F401 (its import is no part of a call that is timed)
from mcp_enrichment.app.client import lazy_client
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.settings.types import Confirm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.client.session import ElicitationFnT
    from mcp.types import CallToolResult

    from mcp_enrichment.settings import Settings

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
"""The modes of the SDK's client, and the version of the protocol that each speaks."""
ADA = "https://www.linkedin.com/in/ada-okafor-example"
JONAS = "https://www.linkedin.com/in/jonas-wei%C3%9F-example"
NOBODY = "https://www.linkedin.com/in/nobody-of-this-name-example"
ID = "6650c0ffee0123456789abcd"
WORK = {"linkedin_url": ADA, "type": "work"}
PATIENT = WORK | {"wait_seconds": 50}
"""For tests that need the final answer, on any machine."""
ONE_CALL_OF_EACH = {
    "request_email_enrichment": WORK,
    "get_enrichment": {"id": ID},
    "wait_for_enrichment": {"ids": [ID], "timeout_seconds": 1},
    "get_credits": {},
}


@asynccontextmanager
async def face(
    settings: Settings, era: str, *, person: ElicitationFnT | None = None, **client: Any
) -> AsyncIterator[Client]:
    """A client of the server with these settings, over the SDK's in-memory connection.

    `person` answers the server's questions to the user; without it the client cannot ask the user.
    `client` has further options of the client.
    """
    confirm = settings.confirm is Confirm.ALWAYS
    async with (
        lazy_client(settings) as get_client,
        Client(
            create_server(get_client, confirm=confirm),
            mode=era,
            elicitation_callback=person,
            **client,
        ) as connected,
    ):
        yield connected


def wire(status: str, **more: Any) -> dict[str, Any]:
    """An enrichment as in the body of a vendor."""
    found = {"email": {"email": "ada.okafor@example.com", "type": "work"}}
    known = found if status == "completed" else {}
    return {"_id": ID, "status": status, "linkedin_url": ADA, "credits_charged": 0} | known | more


def data_of(result: CallToolResult) -> Any:
    """The tool's answer; the text must be the same data as compact JSON."""
    assert not result.is_error, text_of(result)
    compact = json.dumps(result.structured_content, separators=(",", ":"), ensure_ascii=False)
    assert text_of(result) == compact
    return result.structured_content


def error_of(result: CallToolResult) -> dict[str, Any]:
    """The error's data, with its sentence."""
    assert result.is_error, text_of(result)
    assert result.structured_content is None
    error = dict((result.meta or {})["error"])
    assert set(error) == {"code", "retryable", "retry_after_seconds", "charged", "explanation"}
    return error | {"sentence": text_of(result)}


def text_of(result: CallToolResult) -> str:
    assert len(result.content) == 1
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text
