"""People of imported rows, for inferring how companies form addresses."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.contacts import person_table
from mcp_enrichment.service.contacts.staging import PROFILE, RANK
from mcp_enrichment.service.sources.exports.email_address import email_type_of
from mcp_enrichment.service.sources.inference.accuracy import Accuracy, leave_one_out
from mcp_enrichment.service.sources.inference.names import Name, company_key
from mcp_enrichment.service.sources.inference.pattern_learning import KnownAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection, Row

    from mcp_enrichment.service.contacts.staging import Values
    from mcp_enrichment.service.db.database import Database

_LOCAL, _DOMAIN = 5, 6
"""Their places in a row of `contact_persons`."""


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
    """The work address in a row of `contact_persons`; empty where it has none."""
    return f"{person[_LOCAL]}@{person[_DOMAIN]}" if person[_DOMAIN] else ""


def compute_accuracy(connection: Connection) -> Accuracy:
    """The accuracy of inference on the stored rows. It takes a minute for a million rows."""
    companies: dict[str, Counter[str]] = defaultdict(Counter)
    for row in person_table.companies(connection):
        companies[row.company_key][row.email_domain] = row.people
    return leave_one_out(_domains(connection), companies, lambda domain: known(connection, domain))


def figures(database: Database) -> Accuracy:
    """The current accuracy, in the calling thread: computed once after each import."""
    row = database.read_now(person_table.stored_accuracy)
    if row is None:
        return Accuracy()
    if row.computed_at_write == row.writes and (read := Accuracy.read(json.loads(row.accuracy))):
        return read
    found = database.snapshot_now(compute_accuracy)
    encoded = json.dumps(found.to_json())
    database.write_now(lambda c: person_table.store_accuracy(c, row.writes, encoded))
    return found


def last_figures(database: Database) -> Accuracy:
    """The accuracy that was computed last. During an import, and after an interrupted one, it is
    the one before."""
    row = database.read_now(person_table.stored_accuracy)
    last = Accuracy.read(json.loads(row.accuracy)) if row and row.accuracy else None
    return last or figures(database)


def _domains(connection: Connection) -> Iterator[tuple[str, list[KnownAddress]]]:
    for domain, rows in person_table.by_domain(connection):
        yield domain, [_known_as(row) for row in islice(rows, person_table.MOST_OF_A_DOMAIN)]


def known(connection: Connection, domain: str) -> list[KnownAddress]:
    """People with an address at the domain: all, or enough to learn from."""
    return [_known_as(row) for row in person_table.known(connection, domain)]


def _known_as(row: Row[Any]) -> KnownAddress:
    return KnownAddress(name_of(row), row.company_key, row.email_local)


def name_of(row: Row[Any]) -> Name:
    """The name in a row of `contact_persons`."""
    return Name(row.first_name, row.last_name)


def _person_of(row: Values) -> Values | None:
    url, _, email, source, first, last, company, _, _, seen_at, _, imported_at = row
    local, domain = _at_work(email)
    # A person without a profile is useful only with a work address, which then stands in place of
    # the profile. A private address must not stand there: erasure does not look for it there.
    if not (first and last and (url or domain)):
        return None
    # A work address tells of its company, with a profile or without.
    profile, key = url or f"{person_table.NO_PROFILE}{email}", company_key(company)
    return profile, first, last, company, key, local, domain, source, seen_at, imported_at


def _at_work(email: str) -> tuple[str | None, str | None]:
    """The parts of a work address. Only the domain decides: an export may call free mail work."""
    if not email or email_type_of(email) is not EmailType.WORK:
        return None, None
    local, _, domain = email.lower().rpartition("@")
    return local, domain
