"""SQL of people in imported rows: inference learns from their addresses and infers others."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, or_, select, update

from mcp_enrichment.service.db.schema import contact_persons, inference_accuracy
from mcp_enrichment.service.db.upsert import execute_for_each, is_renewed, upsert

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row

    Named = Row[*tuple[Any, ...]]
    """A row whose columns are read by name."""

MOST_OF_A_DOMAIN = 1000
"""The most people of one domain that inference uses: more add nothing."""
NO_PROFILE = "mailto:"
"""The prefix of an address that stands in the place of an unknown profile."""
STREAMED = 10_000
"""Rows of one fetch."""
_NAMED: list[Any] = [
    contact_persons.c.first_name,
    contact_persons.c.last_name,
    contact_persons.c.company_key,
]
_DOMAIN: list[Any] = [contact_persons.c.email_domain, func.count().label("people")]


def upsert_persons(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Upsert the rows. A stored row is replaced by a newer one, and by one of the same age with an
    address if it has none. If the newer row has no address, that of the same company is kept.
    """
    new = upsert(connection, contact_persons)
    names = [column.name for column in contact_persons.c if not column.primary_key]
    fresh: dict[str, Any] = {name: new.excluded[name] for name in names}
    for name in ("email_local", "email_domain"):
        fresh[name] = case(
            (new.excluded.email_domain.is_not(None), new.excluded[name]),
            (new.excluded.company_key == contact_persons.c.company_key, contact_persons.c[name]),
        )
    gains = new.excluded.email_domain.is_not(None) & contact_persons.c.email_domain.is_(None)
    newer = (new.excluded.seen_at > contact_persons.c.seen_at) | is_renewed(new, contact_persons)
    newer |= (new.excluded.seen_at == contact_persons.c.seen_at) & gains
    statement = new.on_conflict_do_update(index_elements=["linkedin_url"], set_=fresh, where=newer)
    execute_for_each(connection, statement, rows)
    first = upsert(connection, inference_accuracy).values(
        id=1, writes=1, computed_at_write=0, accuracy=""
    )
    one_more = {"writes": inference_accuracy.c.writes + 1}
    connection.execute(first.on_conflict_do_update(index_elements=["id"], set_=one_more))


def without_address(connection: Connection, linkedin_url: str) -> Named | None:
    """The person with this canonical URL, if no work address is known."""
    this = (contact_persons.c.linkedin_url == linkedin_url) & contact_persons.c.email_domain.is_(
        None
    )
    return connection.execute(select(*_NAMED).where(this)).first()


def domains_of(connection: Connection, company_key: str) -> Sequence[Named]:
    """The domains of a company's addresses, with the number of people of each."""
    this = (contact_persons.c.company_key == company_key) & contact_persons.c.email_domain.is_not(
        None
    )
    counted = select(*_DOMAIN).where(this).group_by(contact_persons.c.email_domain)
    return connection.execute(counted).all()


def known(connection: Connection, domain: str) -> Sequence[Named]:
    """People with an address at a domain, the newest first, up to a limit."""
    of_it = select(*_NAMED, contact_persons.c.email_local).where(
        contact_persons.c.email_domain == domain
    )
    newest = of_it.order_by(contact_persons.c.seen_at.desc(), contact_persons.c.linkedin_url)
    return connection.execute(newest.limit(MOST_OF_A_DOMAIN)).all()


def is_taken(connection: Connection, local: str, domain: str) -> bool:
    """Whether the address is known to be somebody's."""
    this = (contact_persons.c.email_domain == domain) & (contact_persons.c.email_local == local)
    return (
        connection.execute(select(contact_persons.c.linkedin_url).where(this).limit(1)).first()
        is not None
    )


def namesakes(connection: Connection, linkedin_url: str) -> Sequence[Named]:
    """People of the same company without an address whose inferred one could be the same."""
    me = select(contact_persons).where(contact_persons.c.linkedin_url == linkedin_url).subquery()
    initials = [
        func.lower(func.substr(contact_persons.c[name], 1, 1))
        == func.lower(func.substr(me.c[name], 1, 1))
        for name in ("first_name", "last_name")
    ]
    like_me = (
        (contact_persons.c.company_key == me.c.company_key)
        & contact_persons.c.email_domain.is_(None)
        & (contact_persons.c.linkedin_url != me.c.linkedin_url)
        & or_(
            initials[0] & initials[1],
            contact_persons.c.first_name == me.c.first_name,
            contact_persons.c.last_name == me.c.last_name,
        )
    )
    return connection.execute(select(*_NAMED).join(me, like_me)).all()


def companies(connection: Connection) -> Iterator[Named]:
    """Each company's domains, with the number of people of each."""
    named = (contact_persons.c.company_key != "") & contact_persons.c.email_domain.is_not(None)
    counted = select(contact_persons.c.company_key, *_DOMAIN).where(named)
    counted = counted.group_by(contact_persons.c.company_key, contact_persons.c.email_domain)
    yield from connection.execute(counted.execution_options(yield_per=STREAMED))


def by_domain(connection: Connection) -> Iterator[tuple[str, Iterator[Named]]]:
    """All people with an address, grouped by domain."""
    told = select(*_NAMED, contact_persons.c.email_local, contact_persons.c.email_domain)
    sorted_ = told.where(contact_persons.c.email_domain.is_not(None)).order_by(
        contact_persons.c.email_domain
    )
    rows = connection.execute(sorted_.execution_options(yield_per=STREAMED))
    yield from groupby(rows, key=lambda row: str(row.email_domain))


def stored_accuracy(connection: Connection) -> Named | None:
    """The accuracy that was computed last, the number of writes before it, and that of writes so
    far: the accuracy is current until the next one. None: nothing was written yet."""
    return connection.execute(select(*inference_accuracy.c)).first()


def store_accuracy(connection: Connection, computed_at_write: int, worked_out: str) -> None:
    """Store the accuracy computed after so many writes."""
    kept = update(inference_accuracy).values(
        computed_at_write=computed_at_write, accuracy=worked_out
    )
    connection.execute(kept)
