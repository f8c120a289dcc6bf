"""Which tables hold what about people: the one list that erasing and exporting go by.

Whoever adds a table, or a column, that says something about a person adds it here; a test looks for
columns that sound so and are in neither `PERSONAL` nor `NOT_PERSONAL`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ColumnElement, case, delete, false, or_, select, text, tuple_, update

from mcp_enrichment.service.contacts.person_table import NO_PROFILE
from mcp_enrichment.service.db import schema
from mcp_enrichment.service.privacy.pseudonyms import normalize_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Table

    from mcp_enrichment.contract.models import Reason


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PersonalTable:
    """A table that holds something about people."""

    table: Table
    label: str | None = None
    """Its name in exports and reports, where that is not the table's."""
    columns: Sequence[str]
    """Those that say something about the person."""
    profile: Column[str] | None = None
    """Holds the person's canonical profile URL."""
    address: ColumnElement[Any] | None = None
    """Holds an address of the person, as it was written."""
    link: tuple[Column[Any], Column[Any]] | None = None
    """A column of this table and the one that it points to, in a table earlier in the list: both
    rows are about the same person."""
    exported: Sequence[str] = ()
    """What a person who asks is told of a row."""
    emptied: Mapping[str, Any] | None = None
    """The values that replace what a row held; `redacted_at` and `reason` are set too, where it has
    them. None: the row itself is deleted."""

    @property
    def name(self) -> str:
        """Its name in exports and reports."""
        return self.label or self.table.name


_email = schema.requests.c.email
_people = schema.contact_persons.c
PERSONAL: Sequence[PersonalTable] = (
    PersonalTable(
        table=schema.contact_emails,
        label="contacts",
        columns=("linkedin_url", "email", "first_name", "last_name", "company", "position"),
        profile=schema.contact_emails.c.linkedin_url,
        address=schema.contact_emails.c.email,
        exported=tuple(schema.contact_emails.c.keys()),
    ),
    PersonalTable(
        table=schema.contact_persons,
        label="people",
        columns=(
            "linkedin_url",
            "first_name",
            "last_name",
            "company",
            "company_key",
            "email_local",
            "email_domain",
        ),
        profile=_people.linkedin_url,
        address=_people.email_local + "@" + _people.email_domain,
        exported=tuple(_people.keys()),
    ),
    # Its id, its end and its money stay: the ledger is about them.
    PersonalTable(
        table=schema.requests,
        columns=("linkedin_url", "email", "evidence", "external_id"),
        profile=schema.requests.c.linkedin_url,
        address=schema.requests.c.email,
        exported=(
            *("id", "linkedin_url", "type", "status", "email", "source", "reason", "external_id"),
            *("verification", "checked_at", "evidence", "created_at", "completed_at"),
        ),
        emptied={
            "linkedin_url": "",
            "email": case((_email.is_(None), None), else_=""),
            "external_id": None,
            "evidence": None,
            "traceparent": None,
        },
    ),
    # What each source has cost stays.
    PersonalTable(
        table=schema.source_calls,
        columns=("email", "evidence", "vendor_job_id"),
        address=schema.source_calls.c.email,
        link=(schema.source_calls.c.request_id, schema.requests.c.id),
        exported=("source", "state", "email", "verification", "checked_at", "requested_at"),
        emptied={"email": None, "evidence": None, "vendor_job_id": None},
    ),
    # A caller's own URL, reference or key may hold anything, a name too.
    PersonalTable(
        table=schema.idempotency_keys,
        columns=("key", "body_hash"),
        link=(schema.idempotency_keys.c.request_id, schema.requests.c.id),
    ),
    PersonalTable(
        table=schema.callbacks,
        columns=("url", "external_id"),
        link=(schema.callbacks.c.request_id, schema.requests.c.id),
    ),
    PersonalTable(
        table=schema.callback_attempts,
        columns=(),
        link=(schema.callback_attempts.c.callback_id, schema.callbacks.c.id),
    ),
)
NOT_PERSONAL = {
    "teams.name": "a team's",
    "privacy_key.fingerprint": "a hash of the key alone",
    "privacy_key.key": "random",
    "source_calls.answered_at": "when, and not what",
}
"""Columns that only sound as if they held something about a person, and what they hold."""

RowFilter = Callable[[PersonalTable], ColumnElement[bool] | None]
"""The rows of a table that are chosen for what they hold themselves; None: none are."""


def mentioning(profiles: Collection[str], spellings: Collection[str]) -> RowFilter:
    """What is held under one of the profiles, or with an address spelled in one of these ways."""

    def chosen(held: PersonalTable) -> ColumnElement[bool] | None:
        by = [(held.profile, profiles), (held.address, spellings)]
        return or_(false(), *(column.in_(these) for column, these in by if column is not None))

    return chosen


def attributable_to(profiles: Collection[str], spellings: Collection[str]) -> RowFilter:
    """What `about` chooses, without what is held under somebody else's profile: an address may be
    that of an office or a family."""

    def chosen(held: PersonalTable) -> ColumnElement[bool] | None:
        if held.profile is None or held.address is None:
            return None
        nobodys = (held.profile == "") | held.profile.startswith(NO_PROFILE)
        return held.profile.in_(profiles) | (held.address.in_(spellings) & nobodys)

    return chosen


def completed_before(connection: Connection, before: float, *, limit: int) -> RowFilter | None:
    """The first requests that ended before this time and are not empty yet; None: there are
    none."""
    completed = schema.requests.c.completed_at
    return _first(connection, completed, (completed < before) & schema.REDACTABLE, limit)


def imported_before(connection: Connection, before: float, *, limit: int) -> RowFilter | None:
    """The first of what was imported before this time; None: there is nothing."""
    for table in (schema.contact_emails, schema.contact_persons):
        imported = table.c.imported_at
        if found := _first(connection, imported, imported < before, limit):
            return found
    return None


def spellings_of(connection: Connection, addresses: Collection[str]) -> set[str]:
    """How the normalised addresses are spelled where they are held. Reads every address there is,
    since no index knows them by all their spellings."""
    found: set[str] = set()
    for held in PERSONAL:
        if held.address is not None:
            every = select(held.address).where(held.address.is_not(None)).distinct()
            rows = connection.execute(every.execution_options(yield_per=1000)).scalars()
            found.update(one for one in rows if one and normalize_address(one) in addresses)
    return found


def addresses_of(connection: Connection, choice: RowFilter) -> set[str]:
    """The normalised addresses in the chosen rows."""
    return {normalize_address(one) for one in _values(connection, choice, "address")}


def profiles_of(connection: Connection, choice: RowFilter) -> set[str]:
    """The profiles in the chosen rows."""
    found = _values(connection, choice, "profile")
    return {one for one in found if not one.startswith(NO_PROFILE)}


def remove(
    connection: Connection, choice: RowFilter, *, at: float, reason: Reason
) -> dict[str, int]:
    """Delete or empty the chosen rows, and those that belong to them; how many, by table."""
    why = {"redacted_at": at, "reason": reason}
    counts = {}
    for held in reversed(PERSONAL):
        chosen = _chosen(held, choice)
        told = {name: value for name, value in why.items() if "redacted_at" in held.table.c}
        change = (
            update(held.table).where(chosen).values(**held.emptied, **told)
            if held.emptied
            else delete(held.table).where(chosen)
        )
        if rows := connection.execute(change).rowcount:
            counts[held.name] = rows
    return counts


def export(connection: Connection, choice: RowFilter) -> dict[str, list[dict[str, Any]]]:
    """What a person is told of the chosen rows, by table."""
    told = {}
    for held in PERSONAL:
        if held.exported:
            columns = [held.table.c[name] for name in held.exported]
            rows = connection.execute(select(*columns).where(_chosen(held, choice)))
            told[held.name] = [dict(row._mapping) for row in rows]
    return told


def _first(
    connection: Connection, at: Column[Any], condition: ColumnElement[bool], limit: int
) -> RowFilter | None:
    table = at.table
    key = tuple_(*table.primary_key)
    these = select(*table.primary_key).where(condition).order_by(at).limit(limit)
    # Whoever deletes them at the same time is waited for, and has them alone.
    keys = [tuple(row) for row in connection.execute(these.with_for_update())]
    return (lambda held: key.in_(keys) if held.table is table else None) if keys else None


def _values(connection: Connection, choice: RowFilter, role: str) -> set[str]:
    found: set[str] = set()
    for held in PERSONAL:
        if (column := getattr(held, role)) is not None:
            chosen = select(column).where(_chosen(held, choice)).distinct()
            found.update(filter(None, connection.execute(chosen).scalars()))
    return found


def _chosen(held: PersonalTable, choice: RowFilter) -> ColumnElement[bool]:
    own = choice(held)
    condition = false() if own is None else own
    if held.link is None:
        return condition
    here, there = held.link
    owner = next(one for one in PERSONAL if one.table is there.table)
    return or_(condition, here.in_(select(there).where(_chosen(owner, choice))))


def lock_for_erasure(connection: Connection) -> None:
    """Until the transaction ends no other one adds or changes a contact or a request; those that
    were about to have been waited for."""
    _lock(connection, "contact_emails, requests", "SHARE ROW EXCLUSIVE")


def lock_for_import(connection: Connection) -> None:
    """What is read from here on knows of every erasure that began before the transaction ends."""
    _lock(connection, "contact_emails", "ROW EXCLUSIVE")


def _lock(connection: Connection, tables: str, mode: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {tables} IN {mode} MODE"))
