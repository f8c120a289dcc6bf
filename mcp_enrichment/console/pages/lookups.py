"""Lookups: the list, the search, and the timeline of one."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp_enrichment.console.visits import Refused
from mcp_enrichment.contract.http import ENRICHMENT_ID
from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url
from mcp_enrichment.contract.models import EmailType, Status
from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.privacy import audit_log
from mcp_enrichment.service.privacy.audit_log import Action
from mcp_enrichment.service.privacy.masking import masked_address
from mcp_enrichment.service.privacy.suppression import redact_if_suppressed
from mcp_enrichment.service.reports.lookup_list import (
    SCANNED,
    LookupFilter,
    lookups_of_profile,
    newest_lookups,
)
from mcp_enrichment.service.reports.lookup_timeline import timeline

if TYPE_CHECKING:
    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit
    from mcp_enrichment.service.reports.lookup_timeline import Timeline

UNKNOWN = Refused(404, "There is no request with this id.", "")
FILTERS = {"status": tuple(Status), "type": tuple(EmailType)}


async def show(visit: Visit) -> Response:
    """The newest lookups of the filter."""
    given = visit.request.query_params
    fields = {name: given.get(name, "") for name in ("status", "type", "source")}
    fields = {name: value for name, value in fields.items() if value}
    before = visit.place("before")
    named = given.get("team", "")

    def read(connection: Any) -> dict[str, Any]:
        every = teams.list_all(connection)
        team_id = next((team.id for team in every if team.name == named), None)
        chosen = LookupFilter(team_id=team_id, fields=fields)
        return {
            "teams": [team.name for team in every],
            "page": newest_lookups(connection, chosen, before=before),
        }

    found = await visit.console.service.database.read(read)
    return visit.page(
        "lookups.html",
        filters=FILTERS,
        sources=visit.console.facts.sources,
        chosen=fields | {"team": named},
        before=before,
        scanned=SCANNED // 2,
        **found,
    )


async def search(visit: Visit) -> Response:
    """The lookups of a profile, or the lookup of an id. The profile is not part of the URL, as
    proxies log URLs."""
    sought = visit.form.get("q", "").strip()
    if re.fullmatch(r"[0-9a-f]{24}", sought):
        return visit.to(f"/lookups/{sought}")
    try:
        profile = canonical_profile_url(sought)
    except ProfileURLError as error:
        raise Refused(400, error.advice, "A request's id is understood too.") from error
    found = await visit.console.service.database.read(lambda c: lookups_of_profile(c, profile))
    return visit.page("found_lookups.html", lookups=found, profile=profile)


async def show_one(visit: Visit) -> Response:
    """The timeline of a request. Its email is masked."""
    found = await visit.console.service.database.read(lambda c: _read(visit, c))
    email = found.request.email
    return visit.page(
        "lookup.html", found=found, shown=email and masked_address(email), is_masked=bool(email)
    )


async def reveal(visit: Visit) -> Response:
    """The same with the email. The audit log records it before it is shown."""
    service = visit.console.service

    def read_and_record(connection: Any) -> Timeline:
        found = _read(visit, connection)
        if found.request.email:
            audit_log.record(
                connection,
                Action.REVEAL,
                at=service.clock(),
                pseudonym=service.database.pseudonyms.of_profile(found.request.linkedin_url),
                counts={"requests": 1},
            )
        return found

    found = await service.database.write(read_and_record)
    return visit.page("lookup.html", found=found, shown=found.request.email, is_masked=False)


def _read(visit: Visit, connection: Any) -> Timeline:
    """The timeline of the request in the path, without the address of a suppressed person."""
    request_id = visit.request.path_params["id"]
    found = timeline(connection, request_id) if re.fullmatch(ENRICHMENT_ID, request_id) else None
    if found is None:
        raise UNKNOWN
    pseudonyms = visit.console.service.database.pseudonyms
    request = redact_if_suppressed(connection, pseudonyms, found.request)
    return replace(found, request=request)
