"""What people may ask of those who keep data about them: to be left out, erased, and told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.models import Reason, Status
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.privacy import audit_log, personal_data_inventory, suppression_table
from mcp_enrichment.service.privacy.audit_log import Action
from mcp_enrichment.service.privacy.personal_data_inventory import lock_for_erasure
from mcp_enrichment.service.privacy.pseudonyms import normalize_address
from mcp_enrichment.service.privacy.suppression_table import SubjectKind
from mcp_enrichment.service.requests import request_table as store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms
    from mcp_enrichment.service.requests.request_table import Request


# No generated repr: a line of a log would otherwise hold whom it is about.
@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Subject:
    """Whom a command names: by a profile's canonical URL, or by an address."""

    profile: str | None = None
    address: str | None = None

    def hashes(self, subjects: Pseudonyms) -> dict[str, SubjectKind]:
        """The hash of the profile or address named, with its kind."""
        if self.profile is not None:
            return {subjects.of_profile(self.profile): SubjectKind.PROFILE}
        return {subjects.of_address(self.address or ""): SubjectKind.ADDRESS}


@dataclass(frozen=True, kw_only=True, repr=False)
class DataSubject:
    """All that is known to be one person's. Addresses are normalised."""

    profiles: frozenset[str]
    addresses: frozenset[str]
    spellings: frozenset[str]
    """The addresses as they are held."""

    @cached_property
    def choice(self) -> personal_data_inventory.RowFilter:
        """The rows about this person."""
        return personal_data_inventory.mentioning(self.profiles, self.spellings)

    def hashes(self, subjects: Pseudonyms) -> dict[str, SubjectKind]:
        profiles = {subjects.of_profile(one): SubjectKind.PROFILE for one in self.profiles}
        return profiles | {subjects.of_address(a): SubjectKind.ADDRESS for a in self.addresses}


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ErasureResult:
    """What an erasure did."""

    profiles: frozenset[str]
    """Those that were erased whole."""
    removed: Mapping[str, int]
    """Rows, by table."""
    suppressed: int
    """New entries on the suppression list."""
    shared_by: int
    """Other profiles that an address of the person is known for: of them only what holds it was
    erased. Of several that a named address is known for, none was erased whole."""


async def is_suppressed(database: Database, *, profile: str) -> bool:
    """Whether nobody may be asked about this profile."""
    return await database.read_grouped(
        suppression_table.which_listed, database.subjects.of_profile(profile)
    )


async def is_address_suppressed(database: Database, email: str) -> bool:
    """Whether this address may be told to nobody."""
    return await database.read_grouped(
        suppression_table.which_listed, database.subjects.of_address(email)
    )


def redact_if_suppressed(connection: Connection, subjects: Pseudonyms, request: Request) -> Request:
    """The request as it may be told now: emptied where its person or its address was suppressed
    since it ended. What stands in the database stays."""
    if request.email is None:
        return request
    profile, address = subjects.of_profile(request.linkedin_url), subjects.of_address(request.email)
    if not suppression_table.is_either_listed(connection, profile, address):
        return request
    return replace(request, email=None, reason=Reason.SUPPRESSED)


def left_out(connection: Connection, subjects: Pseudonyms) -> Callable[[str, str], bool]:
    """Whether a contact of this profile and address may not be taken in."""
    listed = suppression_table.list_hashes(connection)
    if not listed:
        return lambda _profile, _email: False
    of_profile, of_address = subjects.of_profile, subjects.of_address
    return lambda profile, email: not listed.isdisjoint({of_profile(profile), of_address(email)})


def suppress(database: Database, subject: Subject, *, at: float) -> bool:
    """Put whom is named on the suppression list; False where it was there."""
    hashes = subject.hashes(database.subjects)

    def put(connection: Connection) -> bool:
        added = suppression_table.add(connection, hashes, at=at)
        _write(connection, Action.SUPPRESS, hashes, at=at, counts={"suppressions": added})
        return bool(added)

    return database.write_now(put)


def unsuppress(database: Database, subject: Subject, *, at: float) -> bool:
    """Take whom is named off the suppression list; False where it was not there."""
    hashes = subject.hashes(database.subjects)

    def take(connection: Connection) -> bool:
        dropped = sum(suppression_table.remove(connection, one) for one in hashes)
        _write(connection, Action.LIFT, hashes, at=at, counts={"suppressions": dropped})
        return bool(dropped)

    return database.write_now(take)


def erase(database: Database, subject: Subject, *, suppressing: bool, at: float) -> ErasureResult:
    """Remove what is stored about a person, in one transaction. `Database.scrub_now` then removes
    what the database's files still hold of it."""
    return database.write_now(
        partial(_erase, subjects=database.subjects, subject=subject, at=at, suppressing=suppressing)
    )


def export(database: Database, subject: Subject, *, at: float) -> dict[str, Any]:
    """What is stored about a person, as they may be told it."""
    subjects = database.subjects

    def tell(connection: Connection) -> dict[str, Any]:
        person, shared_by = _person(connection, subject)
        hashes = person.hashes(subjects)
        told = personal_data_inventory.export(
            connection, personal_data_inventory.attributable_to(person.profiles, person.spellings)
        )
        history = audit_log.about(connection, hashes)
        counts = {table: len(rows) for table, rows in told.items() if rows}
        _write(connection, Action.EXPORT, subject.hashes(subjects), at=at, counts=counts)
        return {
            "profiles": sorted(person.profiles),
            "addresses": sorted(person.addresses),
            "addresses_shared_by": shared_by,
            "suppressed": suppression_table.is_any_listed(connection, hashes),
            **told,
            "audit": [{"at": entry.at, "action": entry.action} for entry in history],
        }

    return database.write_now(tell)


def _erase(
    connection: Connection, *, subjects: Pseudonyms, subject: Subject, suppressing: bool, at: float
) -> ErasureResult:
    lock_for_erasure(connection)
    person, shared_by = _person(connection, subject)
    _cancel_running(connection, person, at=at)
    removed = personal_data_inventory.remove(connection, person.choice, at=at, reason=Reason.ERASED)
    listed = suppression_table.add(connection, person.hashes(subjects), at=at) if suppressing else 0
    counts = removed | {"suppressions": listed}
    _write(connection, Action.ERASE, subject.hashes(subjects), at=at, counts=counts)
    return ErasureResult(
        profiles=person.profiles, removed=removed, suppressed=listed, shared_by=shared_by
    )


def _cancel_running(connection: Connection, person: DataSubject, *, at: float) -> None:
    """Whoever still looks for an answer then finds that the request has ended, and leaves it."""
    ended = [
        ledger.HoldOutcome(team_id=request.team_id, request_id=request.id, is_spent=False)
        for request in store.running_about(connection, person.profiles)
        if store.complete(connection, request.id, Status.NOT_FOUND, at=at, reason=Reason.ERASED)
    ]
    if ended:
        ledger.close_holds(connection, ended, at=at)


def _person(connection: Connection, subject: Subject) -> tuple[DataSubject, int]:
    """Who is meant; and how many other profiles the person's addresses are known for. Of several
    with the address that was named, it cannot be told whose it is, and none is the person's."""
    profiles = {subject.profile} if subject.profile is not None else set()
    addresses = {normalize_address(subject.address)} if subject.address is not None else set()
    if addresses:
        known_for = _known_for(connection, addresses)
        profiles = known_for if len(known_for) == 1 else set()
    addresses |= personal_data_inventory.addresses_of(
        connection, personal_data_inventory.mentioning(profiles, ())
    )
    spellings = personal_data_inventory.spellings_of(connection, addresses)
    others = (
        personal_data_inventory.profiles_of(
            connection, personal_data_inventory.mentioning((), spellings)
        )
        - profiles
    )
    person = DataSubject(
        profiles=frozenset(profiles),
        addresses=frozenset(addresses),
        spellings=frozenset(spellings),
    )
    return person, len(others)


def _known_for(connection: Connection, addresses: set[str]) -> set[str]:
    spellings = personal_data_inventory.spellings_of(connection, addresses)
    return personal_data_inventory.profiles_of(
        connection, personal_data_inventory.mentioning((), spellings)
    )


def _write(
    connection: Connection,
    action: Action,
    hashes: Mapping[str, SubjectKind],
    *,
    at: float,
    counts: Mapping[str, int],
) -> None:
    for one in hashes:
        audit_log.record(connection, action, at=at, pseudonym=one, counts=counts)
