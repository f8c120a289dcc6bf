"""The suppression list: pseudonyms of profiles and addresses that are not disclosed."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, or_, select

from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.db.prepared import Prepared, PreparedForEach
from mcp_enrichment.service.db.schema import suppressions
from mcp_enrichment.service.db.upsert import execute_for_each, upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms
    from mcp_enrichment.service.requests.request_table import Request


_LISTED = PreparedForEach(select(suppressions.c.pseudonym), suppressions.c.pseudonym)
_EITHER = Prepared(
    select(suppressions.c.kind).where(
        or_(
            suppressions.c.pseudonym == bindparam("profile"),
            suppressions.c.pseudonym == bindparam("address"),
        )
    )
)


class SubjectKind(StrEnum):
    PROFILE = "profile"
    ADDRESS = "address"


def add(connection: Connection, pseudonyms: Mapping[str, SubjectKind], *, at: float) -> int:
    """Add hashes, one at least, to the list; the number of new ones."""
    rows = [(pseudonym, kind.value, at) for pseudonym, kind in sorted(pseudonyms.items())]
    new = upsert(connection, suppressions).on_conflict_do_nothing()
    return execute_for_each(connection, new, rows)


def remove(connection: Connection, pseudonym: str) -> bool:
    """Remove a hash from the list; False if it was not listed."""
    this = delete(suppressions).where(suppressions.c.pseudonym == pseudonym)
    return connection.execute(this).rowcount == 1


def which_listed(connection: Connection, pseudonyms: Sequence[str]) -> Sequence[bool]:
    """Whether each hash is on the list."""
    listed = {pseudonym for (pseudonym,) in _LISTED.rows(connection, pseudonyms)}
    return [one in listed for one in pseudonyms]


def list_entries(connection: Connection) -> Sequence[tuple[str, str, float]]:
    """Each hash with its kind and the time of its listing, the newest first."""
    columns = (suppressions.c.pseudonym, suppressions.c.kind, suppressions.c.at)
    rows = connection.execute(select(*columns).order_by(suppressions.c.at.desc()))
    return [(row.pseudonym, row.kind, row.at) for row in rows]


async def is_suppressed(database: Database, *, profile: str) -> bool:
    """Whether this profile may not be looked up."""
    return await database.read_grouped(which_listed, database.pseudonyms.of_profile(profile))


async def is_address_suppressed(database: Database, email: str) -> bool:
    """Whether this address may not be disclosed."""
    return await database.read_grouped(which_listed, database.pseudonyms.of_address(email))


def redact_if_suppressed(
    connection: Connection, pseudonyms: Pseudonyms, request: Request
) -> Request:
    """The request as it may be disclosed now: without its email if the person or the address was
    suppressed since. The stored row stays."""
    if request.email is None:
        return request
    subject = {
        "profile": pseudonyms.of_profile(request.linkedin_url),
        "address": pseudonyms.of_address(request.email),
    }
    if _EITHER.first(connection, subject) is None:
        return request
    return replace(request, email=None, reason=Reason.SUPPRESSED)


def suppression_filter(
    connection: Connection, pseudonyms: Pseudonyms
) -> Callable[[str, str], bool]:
    """A function that says whether a contact of this profile and address may not be imported."""
    listed = set(connection.execute(select(suppressions.c.pseudonym)).scalars())
    if not listed:
        return lambda _profile, _email: False
    of_profile, of_address = pseudonyms.of_profile, pseudonyms.of_address
    return lambda profile, email: not listed.isdisjoint({of_profile(profile), of_address(email)})
