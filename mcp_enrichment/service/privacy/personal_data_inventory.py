"""The inventory of personal data: erasure and export follow this list.

A new table or column with personal data is added here. A test finds columns that sound personal and
are not in the inventory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ColumnElement, Table, case, delete, false, or_, select, update

from mcp_enrichment.service.db import schema
from mcp_enrichment.service.privacy.pseudonyms import normalize_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.contract.models import Reason

NO_PROFILE = "mailto:"
"""The prefix of an address that stands in the place of an unknown profile."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PersonalTable:
    table: Table
    label: str | None = None
    """Its name in exports and reports, if it is not the table's."""
    columns: Sequence[str]
    """The columns with personal data."""
    profile: Column[str] | None = None
    """The person's canonical profile URL."""
    address: ColumnElement[Any] | None = None
    """An address of the person, as it was written."""
    link: tuple[Column[Any], Column[Any]] | None = None
    """A column of this table and the column it refers to, in a table earlier in the list: both rows
    are about the same person."""
    exported: Sequence[str] = ()
    """The columns in a person's export."""
    emptied: Mapping[str, Any] | None = None
    """The values of a redacted row; `redacted_at` and `reason` are set too, if the table has them.
    None: the row is deleted."""

    @property
    def name(self) -> str:
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
            *("linkedin_url", "first_name", "last_name", "company", "company_key"),
            *("email_local", "email_domain"),
        ),
        profile=_people.linkedin_url,
        address=_people.email_local + "@" + _people.email_domain,
        exported=tuple(_people.keys()),
    ),
    # The id, the outcome and the credits stay: the ledger refers to them.
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
    # The cost of each source stays.
    PersonalTable(
        table=schema.source_calls,
        columns=("email", "evidence", "vendor_job_id"),
        address=schema.source_calls.c.email,
        link=(schema.source_calls.c.request_id, schema.requests.c.id),
        exported=("source", "state", "email", "verification", "checked_at", "requested_at"),
        emptied={"email": None, "evidence": None, "vendor_job_id": None},
    ),
    # A caller's URL, reference or key may contain anything, also a name.
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

Selection = Mapping[Table, ColumnElement[bool]]
"""Selects rows of each table by their own columns; of a table that it lacks, none."""


def mentioning(profiles: Collection[str], spellings: Collection[str]) -> Selection:
    """Rows of one of the profiles, or with one of these spellings of an address."""
    selected: dict[Table, ColumnElement[bool]] = {}
    for held in PERSONAL:
        by = [(held.profile, profiles), (held.address, spellings)]
        matches = [column.in_(these) for column, these in by if column is not None]
        selected[held.table] = or_(false(), *matches)
    return selected


def attributable_to(profiles: Collection[str], spellings: Collection[str]) -> Selection:
    """The rows of `mentioning` without those of another profile: an address may belong to an office
    or a family."""
    selected: dict[Table, ColumnElement[bool]] = {}
    for held in PERSONAL:
        if held.profile is not None and held.address is not None:
            is_nobodys = (held.profile == "") | held.profile.startswith(NO_PROFILE)
            by_address = held.address.in_(spellings) & is_nobodys
            selected[held.table] = held.profile.in_(profiles) | by_address
    return selected


def spellings_of(connection: Connection, addresses: Collection[str]) -> set[str]:
    """The stored spellings of these normalised addresses. Reads all addresses, as no index covers
    every spelling."""
    found: set[str] = set()
    for held in PERSONAL:
        if held.address is not None:
            every = select(held.address).where(held.address.is_not(None)).distinct()
            rows = connection.execute(every.execution_options(yield_per=1000)).scalars()
            found.update(one for one in rows if one and normalize_address(one) in addresses)
    return found


def addresses_of(connection: Connection, selection: Selection) -> set[str]:
    return {normalize_address(one) for one in _values(connection, selection, "address")}


def profiles_of(connection: Connection, selection: Selection) -> set[str]:
    found = _values(connection, selection, "profile")
    return {one for one in found if not one.startswith(NO_PROFILE)}


def remove(
    connection: Connection, selection: Selection, *, at: float, reason: Reason
) -> dict[str, int]:
    """Delete or redact the selected rows and those linked to them; the number by table."""
    why = {"redacted_at": at, "reason": reason}
    counts = {}
    for held in reversed(PERSONAL):
        selected = _selected(held, selection)
        redaction = why if "redacted_at" in held.table.c else {}
        change = (
            update(held.table).where(selected).values(**held.emptied, **redaction)
            if held.emptied
            else delete(held.table).where(selected)
        )
        if rows := connection.execute(change).rowcount:
            counts[held.name] = rows
    return counts


def export(connection: Connection, selection: Selection) -> dict[str, list[dict[str, Any]]]:
    """The exported columns of the selected rows, by table."""
    exported_rows = {}
    for held in PERSONAL:
        if held.exported:
            columns = [held.table.c[name] for name in held.exported]
            rows = connection.execute(select(*columns).where(_selected(held, selection)))
            exported_rows[held.name] = [dict(row._mapping) for row in rows]
    return exported_rows


def _values(connection: Connection, selection: Selection, role: str) -> set[str]:
    found: set[str] = set()
    for held in PERSONAL:
        if (column := getattr(held, role)) is not None:
            these = select(column).where(_selected(held, selection)).distinct()
            found.update(filter(None, connection.execute(these).scalars()))
    return found


def _selected(held: PersonalTable, selection: Selection) -> ColumnElement[bool]:
    condition = selection.get(held.table, false())
    if held.link is None:
        return condition
    here, there = held.link
    owner = next(one for one in PERSONAL if one.table is there.table)
    return or_(condition, here.in_(select(there).where(_selected(owner, selection))))
