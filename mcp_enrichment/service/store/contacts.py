"""Statements on imported contacts: one row for a profile and a type of address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from mcp_enrichment.service.store.schema import contacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

_KEY = ["linkedin_url", "type"]


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows; where a profile has an address of that type, the new one replaces it."""
    new = upsert(contacts)
    fresh = {c.name: new.excluded[c.name] for c in contacts.c if c.name not in _KEY}
    connection.execute(new.on_conflict_do_update(index_elements=_KEY, set_=fresh), rows)


def count(connection: Connection) -> int:
    """How many addresses are stored."""
    return connection.execute(select(func.count()).select_from(contacts)).scalar_one()


def any_stored(connection: Connection) -> bool:
    """Whether anything has been imported."""
    return bool(connection.execute(select(exists(select(contacts.c.type)))).scalar())


def email_of(connection: Connection, linkedin_url: str, kind: str) -> tuple[str, float] | None:
    """The address of that kind of the person with this canonical URL, and when it was imported."""
    this = (contacts.c.linkedin_url == linkedin_url) & (contacts.c.type == kind)
    found = select(contacts.c.email, contacts.c.imported_at).where(this)
    row = connection.execute(found).first()
    return (row.email, row.imported_at) if row else None


def page(connection: Connection, *, limit: int) -> Sequence[Row[Any]]:
    """The first contacts, by name."""
    by_name = (contacts.c.last_name, contacts.c.first_name, contacts.c.linkedin_url)
    return connection.execute(select(contacts).order_by(*by_name).limit(limit)).all()
