"""Privacy: suppressing, erasing and exporting a person, and the audit log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
from starlette.responses import Response

from mcp_enrichment.console.visits import Refused
from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url
from mcp_enrichment.service.privacy import audit_log, subject_requests
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from mcp_enrichment.service.sources.exports.email_address import clean_email

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mcp_enrichment.console.visits import Visit

T = TypeVar("T")
NEWEST = 100
"""Entries of the audit log that are shown."""
QUESTIONS = {
    "suppress": "Never look up this profile again, or never give out this address?",
    "lift": "Take this profile or address off the suppression list?",
    "erase": "Remove all that is stored about this person, and suppress them? Requests about them "
    "keep their ids, ends and credits. This cannot be undone.",
    "export": "Export all that is stored about this person? The audit log records it.",
}


async def show(visit: Visit) -> Response:
    """The forms, and the newest entries of the audit log."""
    entries = await visit.console.service.database.read(lambda c: audit_log.newest(c, limit=NEWEST))
    return visit.page("privacy.html", entries=entries, actions=list(QUESTIONS))


async def change(visit: Visit) -> Response:
    """Carry out the chosen action for the named person."""
    action, named = visit.form.get("action", ""), visit.form.get("person", "").strip()
    if action not in QUESTIONS:
        raise Refused(400, "There is no such action.", "Nothing was changed.")
    subject = _subject(named)
    asked = visit.ask(
        f"{QUESTIONS[action]} {named}",
        f"{action.capitalize()} this person",
        back="/privacy",
        action=action,
        person=named,
    )
    return asked or await _ACTS[action](visit, subject)


async def _suppress(visit: Visit, subject: NamedSubject) -> Response:
    new = await _in_thread(visit, subject_requests.suppress, subject)
    return visit.to("/privacy", done="Suppressed." if new else "It was suppressed already.")


async def _lift(visit: Visit, subject: NamedSubject) -> Response:
    was_there = await _in_thread(visit, subject_requests.unsuppress, subject)
    return visit.to("/privacy", done="Lifted." if was_there else "It was not suppressed.")


async def _erase(visit: Visit, subject: NamedSubject) -> Response:
    erase = partial(subject_requests.erase, suppressing=True)
    done = await _in_thread(visit, erase, subject)
    # First, as the other may fail: a second call no longer finds the profiles of an address.
    forgotten = await visit.console.forget(done.profiles)
    is_scrubbed = await anyio.to_thread.run_sync(visit.console.service.database.scrub_now)
    says = [f"Erased {_counted(done.removed)}, and {forgotten} remembered questions."]
    if done.shared_by:
        says.append(
            f"The address is known for {done.shared_by} other profiles: only what holds it was "
            "erased there."
        )
    if not is_scrubbed:
        says.append(
            "The files could not be rewritten and may still hold the rows: erase the person again."
        )
    return visit.to("/privacy", done=" ".join(says))


async def _export(visit: Visit, subject: NamedSubject) -> Response:
    found = await _in_thread(visit, subject_requests.export, subject)
    headers = {"Content-Disposition": 'attachment; filename="export.json"'}
    return Response(
        subject_requests.export_text(found), media_type="application/json", headers=headers
    )


_ACTS: Mapping[str, Callable[[Visit, NamedSubject], Awaitable[Response]]] = {
    "suppress": _suppress,
    "lift": _lift,
    "erase": _erase,
    "export": _export,
}


async def _in_thread(visit: Visit, do: Callable[..., T], subject: NamedSubject) -> T:
    service = visit.console.service
    return await anyio.to_thread.run_sync(
        partial(do, service.database, subject, at=service.clock())
    )


def _subject(named: str) -> NamedSubject:
    """The person whose profile or address was typed. Raises `Refused` for another text."""
    if address := clean_email(named):
        return NamedSubject(address=address)
    try:
        return NamedSubject(profile=canonical_profile_url(named))
    except ProfileURLError as error:
        raise Refused(400, error.advice, "An email address is understood too.") from error


def _counted(removed: Mapping[str, int]) -> str:
    parts = [f"{rows} {table.replace('_', ' ')}" for table, rows in sorted(removed.items())]
    return ", ".join(parts) or "nothing"
