"""People in imported rows: inference learns from their addresses and infers others."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, case, func, or_, select, update

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.contacts.staging import PROFILE, RANK
from mcp_enrichment.service.db.prepared import Prepared
from mcp_enrichment.service.db.schema import contact_persons, inference_accuracy
from mcp_enrichment.service.db.upsert import execute_for_each, is_renewed, upsert
from mcp_enrichment.service.privacy.personal_data_inventory import NO_PROFILE
from mcp_enrichment.service.sources.exports.email_address import email_type_of
from mcp_enrichment.service.sources.inference.accuracy import Accuracy, leave_one_out
from mcp_enrichment.service.sources.inference.names import Name, company_key
from mcp_enrichment.service.sources.inference.pattern_learning import KnownAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from mcp_enrichment.service.contacts.staging import Values
    from mcp_enrichment.service.db.database import Database

    Named = Row[*tuple[Any, ...]]
    """A row whose columns are read by name."""


MOST_OF_A_DOMAIN = 1000
"""The most people of one domain that inference uses: more add nothing."""
STREAMED = 10_000
"""Rows of one fetch."""
_LOCAL, _DOMAIN = 5, 6
"""The places of the address in a row of `contact_persons`."""
_people = contact_persons.c
_NAMED: list[Any] = [_people.first_name, _people.last_name, _people.company_key]
_COUNTED: list[Any] = [_people.email_domain, func.count().label("people")]
_WITHOUT_ADDRESS = Prepared(
    select(*_NAMED).where(
        _people.linkedin_url == bindparam("linkedin_url"), _people.email_domain.is_(None)
    )
)


class NamedPerson(NamedTuple):
    """A person whose address may be inferred."""

    first_name: str
    last_name: str
    company_key: str | None


def to_person_rows(rows: Iterable[Values]) -> list[Values]:
    """The people named in rows of `contact_emails`, as rows of `contact_persons`. Of several
    addresses of one person the main one is used."""
    found: dict[str, Values] = {}
    for row in sorted(rows, key=itemgetter(RANK)):
        person = _person_of(row)
        if person and not ((known := found.get(person[PROFILE])) and known[_DOMAIN]):
            found[person[PROFILE]] = person
    return list(found.values())


def address_of(person: Values) -> str:
    """The work address in a row of `contact_persons`; empty if it has none."""
    return f"{person[_LOCAL]}@{person[_DOMAIN]}" if person[_DOMAIN] else ""


def _person_of(row: Values) -> Values | None:
    url, _, email, source, first, last, company, _, _, seen_at, _, imported_at = row
    local, domain = _at_work(email)
    # A person without a profile is useful only with a work address, which then stands in place of
    # the profile. A private address must not stand there: erasure does not look for it there.
    if not (first and last and (url or domain)):
        return None
    # A work address shows the pattern of its company, with or without a profile.
    profile, key = url or f"{NO_PROFILE}{email}", company_key(company)
    return profile, first, last, company, key, local, domain, source, seen_at, imported_at


def _at_work(email: str) -> tuple[str | None, str | None]:
    """The parts of a work address. Only the domain decides: an export may call free mail work."""
    if not email or email_type_of(email) is not EmailType.WORK:
        return None, None
    local, _, domain = email.lower().rpartition("@")
    return local, domain


def upsert_persons(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Upsert the rows. A stored row is replaced by a newer one, and by one of the same age with an
    address if it has none. If the newer row has no address, that of the same company is kept.
    """
    new = upsert(connection, contact_persons)
    names = [column.name for column in _people if not column.primary_key]
    fresh: dict[str, Any] = {name: new.excluded[name] for name in names}
    for name in ("email_local", "email_domain"):
        fresh[name] = case(
            (new.excluded.email_domain.is_not(None), new.excluded[name]),
            (new.excluded.company_key == _people.company_key, _people[name]),
        )
    gains = new.excluded.email_domain.is_not(None) & _people.email_domain.is_(None)
    newer = (new.excluded.seen_at > _people.seen_at) | is_renewed(new, contact_persons)
    newer |= (new.excluded.seen_at == _people.seen_at) & gains
    statement = new.on_conflict_do_update(index_elements=["linkedin_url"], set_=fresh, where=newer)
    execute_for_each(connection, statement, rows)
    first = upsert(connection, inference_accuracy).values(
        id=1, writes=1, computed_at_write=0, accuracy=""
    )
    one_more = {"writes": inference_accuracy.c.writes + 1}
    connection.execute(first.on_conflict_do_update(index_elements=["id"], set_=one_more))


def without_address(connection: Connection, linkedin_url: str) -> NamedPerson | None:
    """The person with this canonical URL, if no work address is known."""
    row = _WITHOUT_ADDRESS.first(connection, {"linkedin_url": linkedin_url})
    return NamedPerson(*row) if row else None


def domains_of(connection: Connection, company: str) -> Counter[str]:
    """The domains of a company's addresses, with the number of people of each."""
    this = (_people.company_key == company) & _people.email_domain.is_not(None)
    counted = select(*_COUNTED).where(this).group_by(_people.email_domain)
    return Counter({row.email_domain: row.people for row in connection.execute(counted)})


def known(connection: Connection, domain: str) -> list[KnownAddress]:
    """People with an address at a domain, the newest first: all, or enough to learn from."""
    at_it = select(*_NAMED, _people.email_local).where(_people.email_domain == domain)
    newest = at_it.order_by(_people.seen_at.desc(), _people.linkedin_url).limit(MOST_OF_A_DOMAIN)
    return [_known_as(row) for row in connection.execute(newest)]


def is_taken(connection: Connection, local: str, domain: str) -> bool:
    """Whether the address is known to be somebody's."""
    this = (_people.email_domain == domain) & (_people.email_local == local)
    found = connection.execute(select(_people.linkedin_url).where(this).limit(1)).first()
    return found is not None


def namesakes(connection: Connection, linkedin_url: str) -> Sequence[Named]:
    """People of the same company without an address whose inferred one could be the same."""
    me = select(contact_persons).where(_people.linkedin_url == linkedin_url).subquery()
    initials = [
        func.lower(func.substr(_people[name], 1, 1)) == func.lower(func.substr(me.c[name], 1, 1))
        for name in ("first_name", "last_name")
    ]
    like_me = (
        (_people.company_key == me.c.company_key)
        & _people.email_domain.is_(None)
        & (_people.linkedin_url != me.c.linkedin_url)
        & or_(
            initials[0] & initials[1],
            _people.first_name == me.c.first_name,
            _people.last_name == me.c.last_name,
        )
    )
    return connection.execute(select(*_NAMED).join(me, like_me)).all()


def _known_as(row: Named) -> KnownAddress:
    return KnownAddress(name_of(row), row.company_key, row.email_local)


def name_of(row: Named | NamedPerson) -> Name:
    """The name in a row of `contact_persons`."""
    return Name(row.first_name, row.last_name)


def compute_accuracy(connection: Connection) -> Accuracy:
    """The accuracy of inference on the stored rows. It takes a minute for a million rows."""
    return leave_one_out(
        _by_domain(connection), _by_company(connection), lambda domain: known(connection, domain)
    )


def _by_domain(connection: Connection) -> Iterator[tuple[str, list[KnownAddress]]]:
    """All people with an address, grouped by domain, up to a limit of each."""
    chosen = select(*_NAMED, _people.email_local, _people.email_domain)
    chosen = chosen.where(_people.email_domain.is_not(None)).order_by(_people.email_domain)
    rows = connection.execute(chosen.execution_options(yield_per=STREAMED))
    for domain, people in groupby(rows, key=lambda row: str(row.email_domain)):
        yield domain, [_known_as(row) for row in islice(people, MOST_OF_A_DOMAIN)]


def _by_company(connection: Connection) -> dict[str, Counter[str]]:
    """The domains of each company's addresses, with the number of people of each."""
    named = (_people.company_key != "") & _people.email_domain.is_not(None)
    counted = select(_people.company_key, *_COUNTED).where(named)
    counted = counted.group_by(_people.company_key, _people.email_domain)
    companies: dict[str, Counter[str]] = defaultdict(Counter)
    for row in connection.execute(counted.execution_options(yield_per=STREAMED)):
        companies[row.company_key][row.email_domain] = row.people
    return companies


def figures(database: Database) -> Accuracy:
    """The current accuracy, in the calling thread: computed once after each import."""
    row = database.read_now(_stored_accuracy)
    if row is None:
        return Accuracy()
    if row.computed_at_write == row.writes and (read := Accuracy.read(json.loads(row.accuracy))):
        return read
    found = database.snapshot_now(compute_accuracy)
    kept = {"computed_at_write": row.writes, "accuracy": json.dumps(found.to_json())}
    store = update(inference_accuracy).values(kept)
    database.write_now(lambda connection: connection.execute(store))
    return found


def last_figures(database: Database) -> Accuracy:
    """The accuracy that was computed last. During an import, and after an interrupted one, it is
    the one before."""
    row = database.read_now(_stored_accuracy)
    last = Accuracy.read(json.loads(row.accuracy)) if row and row.accuracy else None
    return last or figures(database)


def _stored_accuracy(connection: Connection) -> Named | None:
    """The accuracy that was computed last, the number of writes before it, and that of writes so
    far: the accuracy is current until the next one. None: nothing was written yet."""
    return connection.execute(select(*inference_accuracy.c)).first()
