"""The newest lookups, page by page. Each page reads a bounded number of rows.

The ledger has one hold for each request, in the order of time, and an index for each team: no other
index of the requests is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from mcp_enrichment.contract.models import EmailType, LedgerEntryKind, Status
from mcp_enrichment.service.db.schema import REDACTABLE, RUNNING, ledger, requests, teams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Select

PAGE = 50
"""Lookups of one page."""
SCANNED = 4000
"""The most entries of the ledger that a page with a filter reads, about 2,000 lookups."""
_COLUMNS: list[Any] = [
    *(requests.c[name] for name in ("id", "linkedin_url", "type", "status", "source", "reason")),
    *(requests.c[name] for name in ("verification", "created_at", "completed_at")),
    teams.c.name.label("team"),
]
_ALL = select(*_COLUMNS).join(teams, teams.c.id == requests.c.team_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """A request in a list. Times are seconds since the epoch."""

    id: str
    team: str
    linkedin_url: str
    """Empty if the person was erased."""
    type: EmailType
    status: Status
    source: str | None
    reason: str | None
    verification: str | None
    created_at: float
    completed_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupFilter:
    """Selects the lookups of the list; None and empty select all."""

    team_id: int | None = None
    fields: Mapping[str, str]
    """Values of `status`, `type` and `source`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupPage:
    """A page of the list, the newest first."""

    lookups: Sequence[Lookup]
    older: int | None
    """The place before which the next page begins; None at the end of the list."""


def newest_lookups(
    connection: Connection, chosen: LookupFilter, *, before: int | None
) -> LookupPage:
    """The lookups before this place, or the newest."""
    entries = select(ledger.c.id)
    if chosen.team_id is not None:
        entries = entries.where(ledger.c.team_id == chosen.team_id)
    if before is not None:
        entries = entries.where(ledger.c.id < before)
    last = entries.order_by(ledger.c.id.desc()).offset(SCANNED).limit(1)
    floor: int | None = connection.execute(last).scalar() if chosen.fields else None
    rows = connection.execute(_page(chosen, before=before, floor=floor)).all()
    lookups = [_lookup(row._mapping) for row in rows[:PAGE]]
    older = rows[PAGE - 1].place if len(rows) > PAGE else floor
    return LookupPage(lookups=lookups, older=older)


def lookups_of_profile(connection: Connection, profile: str) -> Sequence[Lookup]:
    """The lookups of a person: the running ones, and the newest that have ended."""
    this = _ALL.where(requests.c.linkedin_url == profile)
    every_team = select(teams.c.id)  # the index of running requests begins with the team
    running = this.where(requests.c.team_id.in_(every_team), RUNNING)
    ended = this.where(REDACTABLE).order_by(requests.c.completed_at.desc()).limit(PAGE)
    rows = (*connection.execute(running), *connection.execute(ended))
    return [_lookup(row._mapping) for row in rows]


def _page(chosen: LookupFilter, *, before: int | None, floor: int | None) -> Select[Any]:
    page = (
        _ALL.add_columns(ledger.c.id.label("place"))
        .join(ledger, ledger.c.request_id == requests.c.id)
        .where(ledger.c.kind == LedgerEntryKind.HOLD)
        .order_by(ledger.c.id.desc())
        .limit(PAGE + 1)
    )
    if chosen.team_id is not None:
        page = page.where(ledger.c.team_id == chosen.team_id)
    if before is not None:
        page = page.where(ledger.c.id < before)
    if floor is not None:
        page = page.where(ledger.c.id >= floor)
    for name, value in chosen.fields.items():
        page = page.where(requests.c[name] == value)
    return page


def _lookup(row: Mapping[Any, Any]) -> Lookup:
    values = {name: row[name] for name in Lookup.__dataclass_fields__}
    values |= {"type": EmailType(values["type"]), "status": Status(values["status"])}
    return Lookup(**values)
