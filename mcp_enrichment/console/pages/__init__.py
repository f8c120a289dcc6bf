"""The pages of the console, and the actions that their forms start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.console.pages import (
    accounts,
    callbacks,
    contacts,
    credits,  # noqa: A004 (a page)
    lookups,
    overview,
    privacy,
    sources,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

    Handler = Callable[[Visit], Awaitable[Response]]

PAGES: Mapping[str, Handler] = {
    "": overview.show,
    "/lookups": lookups.show,
    "/lookups/{id}": lookups.show_one,
    "/sources": sources.show,
    "/sources/order": sources.show_order,
    "/credits": credits.show,
    "/callbacks": callbacks.show,
    "/contacts": contacts.show,
    "/contacts/report": contacts.show_report,
    "/contacts/imports/{id}": contacts.show_import,
    "/privacy": privacy.show,
    "/teams": accounts.show,
}
"""The function that shows each page, by the path below `/console`."""
UPLOAD = "/contacts/preview"
"""The action that takes a file."""
ACTIONS: Mapping[str, Handler] = {
    "/lookups/search": lookups.search,
    "/lookups/{id}/reveal": lookups.reveal,
    "/sources/resume": sources.resume,
    "/credits/change": credits.change,
    "/callbacks/retry": callbacks.retry,
    UPLOAD: contacts.preview,
    "/contacts/import": contacts.start,
    "/privacy/change": privacy.change,
    "/teams/add": accounts.add_team,
    "/keys/create": accounts.create_key,
    "/keys/revoke": accounts.revoke_key,
}
"""The function that carries out each action, by the path that its form is posted to."""
