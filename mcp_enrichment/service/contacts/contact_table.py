"""SQL of imported contacts: one row for each address and export source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, func, select

from mcp_enrichment.service.db.schema import contact_emails
from mcp_enrichment.service.db.upsert import execute_for_each, is_renewed, upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

_KEY = [column.name for column in contact_emails.primary_key]
MAX_ROWS = 50
"""The most rows that are read of one person."""
# Built once, as every lookup executes them.
_EMAILS_OF = (
    select(contact_emails.c.email, contact_emails.c.seen_at)
    .where(
        contact_emails.c.linkedin_url == bindparam("linkedin_url"),
        contact_emails.c.type == bindparam("type"),
    )
    .order_by(
        contact_emails.c.seen_at.desc(),
        contact_emails.c.imported_at.desc(),
        contact_emails.c.rank,
        contact_emails.c.email,
    )
    .limit(MAX_ROWS)
)
_ANY_STORED = select(
    exists(select(contact_emails.c.type).where(contact_emails.c.linkedin_url > ""))
)


def upsert_contacts(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Upsert the rows: newer ones replace older ones of the same source. The number of new
    addresses, also with concurrent imports."""
    new = upsert(connection, contact_emails)
    added = execute_for_each(connection, new.on_conflict_do_nothing(), rows)
    if added < len(rows):
        fresh = {c.name: new.excluded[c.name] for c in contact_emails.c if not c.primary_key}
        newer = (new.excluded.seen_at > contact_emails.c.seen_at) | is_renewed(new, contact_emails)
        statement = new.on_conflict_do_update(index_elements=_KEY, set_=fresh, where=newer)
        execute_for_each(connection, statement, rows)
    return added


def count(connection: Connection) -> int:
    """The number of stored addresses, each counted for each source."""
    return connection.execute(select(func.count()).select_from(contact_emails)).scalar_one()


def any_stored(connection: Connection) -> bool:
    """Whether there is a contact with a profile."""
    return bool(connection.execute(_ANY_STORED).scalar())


def emails_of(connection: Connection, linkedin_url: str, email_type: str) -> dict[str, float]:
    """The addresses of that type of the person with this canonical URL, the newest first, with the
    time of each."""
    emails: dict[str, float] = {}
    of_person = {"linkedin_url": linkedin_url, "type": email_type}
    for row in connection.execute(_EMAILS_OF, of_person):  # several sources may have the same one
        emails.setdefault(row.email, row.seen_at)
    return emails


def page(connection: Connection, *, limit: int) -> Sequence[Row[Any]]:
    """The first contacts by name, the newest of a person first."""
    by_name = (
        contact_emails.c.last_name,
        contact_emails.c.first_name,
        contact_emails.c.linkedin_url,
    )
    newest = (contact_emails.c.type, contact_emails.c.seen_at.desc(), contact_emails.c.rank)
    return connection.execute(select(contact_emails).order_by(*by_name, *newest).limit(limit)).all()
