"""Requests of data subjects: suppression, erasure and export."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from mcp_enrichment.contract.models import Reason, Status
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.privacy import audit_log, suppression
from mcp_enrichment.service.privacy import personal_data_inventory as inventory
from mcp_enrichment.service.privacy.audit_log import Action
from mcp_enrichment.service.privacy.pseudonyms import normalize_address
from mcp_enrichment.service.privacy.suppression import SubjectKind
from mcp_enrichment.service.requests import request_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms


# No generated repr: it would put the person into logs.
@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class NamedSubject:
    """The person that a command names, by a canonical profile URL or by an address."""

    profile: str | None = None
    address: str | None = None

    def hashes(self, pseudonyms: Pseudonyms) -> dict[str, SubjectKind]:
        """The hash of the profile or address named, with its kind."""
        if self.profile is not None:
            return {pseudonyms.of_profile(self.profile): SubjectKind.PROFILE}
        return {pseudonyms.of_address(self.address or ""): SubjectKind.ADDRESS}


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class KnownPerson:
    """The profiles and addresses known to be one person's. Addresses are normalised."""

    profiles: frozenset[str]
    addresses: frozenset[str]
    spellings: frozenset[str]
    """The addresses as they are stored."""
    shared_by: int
    """Other profiles with these addresses."""

    def hashes(self, pseudonyms: Pseudonyms) -> dict[str, SubjectKind]:
        profiles = {pseudonyms.of_profile(one): SubjectKind.PROFILE for one in self.profiles}
        return profiles | {pseudonyms.of_address(a): SubjectKind.ADDRESS for a in self.addresses}


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ErasureResult:
    profiles: frozenset[str]
    """Those that were erased completely."""
    removed: Mapping[str, int]
    """Rows, by table."""
    suppressed: int
    """New entries on the suppression list."""
    shared_by: int
    """Other profiles with an address of the person: only their rows with that address were erased.
    If the named address belongs to several profiles, none was erased completely."""


def suppress(database: Database, subject: NamedSubject, *, at: float) -> bool:
    """Add the person to the suppression list; False if it was listed."""
    hashes = subject.hashes(database.pseudonyms)

    def put(connection: Connection) -> bool:
        added = suppression.add(connection, hashes, at=at)
        _write(connection, Action.SUPPRESS, hashes, at=at, counts={"suppressions": added})
        return bool(added)

    return database.write_now(put)


def unsuppress(database: Database, subject: NamedSubject, *, at: float) -> bool:
    """Remove the person from the suppression list; False if it was not listed."""
    hashes = subject.hashes(database.pseudonyms)

    def take(connection: Connection) -> bool:
        dropped = sum(suppression.remove(connection, one) for one in hashes)
        _write(connection, Action.LIFT, hashes, at=at, counts={"suppressions": dropped})
        return bool(dropped)

    return database.write_now(take)


def erase(
    database: Database, subject: NamedSubject, *, suppressing: bool, at: float
) -> ErasureResult:
    """Delete what is stored about a person, in one transaction. `Database.scrub_now` then removes
    the remains from the database's files."""
    pseudonyms = database.pseudonyms

    def delete(connection: Connection) -> ErasureResult:
        _lock_for_erasure(connection)
        person = _person(connection, subject)
        _cancel_running(connection, person, at=at)
        about = inventory.mentioning(person.profiles, person.spellings)
        removed = inventory.remove(connection, about, at=at, reason=Reason.ERASED)
        hashes = person.hashes(pseudonyms)
        listed = suppression.add(connection, hashes, at=at) if suppressing else 0
        counts = removed | {"suppressions": listed}
        _write(connection, Action.ERASE, subject.hashes(pseudonyms), at=at, counts=counts)
        return ErasureResult(
            profiles=person.profiles,
            removed=removed,
            suppressed=listed,
            shared_by=person.shared_by,
        )

    return database.write_now(delete)


def export(database: Database, subject: NamedSubject, *, at: float) -> dict[str, Any]:
    """All that is stored about a person, for them to read."""
    pseudonyms = database.pseudonyms

    def tell(connection: Connection) -> dict[str, Any]:
        person = _person(connection, subject)
        hashes = person.hashes(pseudonyms)
        about = inventory.attributable_to(person.profiles, person.spellings)
        exported_rows = inventory.export(connection, about)
        history = audit_log.about(connection, hashes)
        counts = {table: len(rows) for table, rows in exported_rows.items() if rows}
        _write(connection, Action.EXPORT, subject.hashes(pseudonyms), at=at, counts=counts)
        return {
            "profiles": sorted(person.profiles),
            "addresses": sorted(person.addresses),
            "addresses_shared_by": person.shared_by,
            "suppressed": any(suppression.which_listed(connection, list(hashes))),
            **exported_rows,
            "audit": [{"at": entry.at, "action": entry.action} for entry in history],
        }

    return database.write_now(tell)


def export_text(exported: dict[str, Any]) -> str:
    """JSON with ISO 8601 texts, in UTC, in place of seconds since the epoch."""
    return json.dumps(_with_dates(exported), indent=2, ensure_ascii=False)


def _with_dates(exported: Any, name: str = "") -> Any:
    if isinstance(exported, dict):
        return {key: _with_dates(value, key) for key, value in exported.items()}
    if isinstance(exported, list):
        return [_with_dates(each) for each in exported]
    if isinstance(exported, float) and name.rpartition("_")[2] == "at":
        return f"{datetime.fromtimestamp(exported, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return exported


def _cancel_running(connection: Connection, person: KnownPerson, *, at: float) -> None:
    """Complete the person's running requests: their lookups then stop."""
    ended = [
        ledger.HoldOutcome(team_id=request.team_id, request_id=request.id, is_settled=False)
        for request in request_table.running_about(connection, person.profiles)
        if request_table.complete(
            connection, request.id, Status.NOT_FOUND, at=at, reason=Reason.ERASED
        )
    ]
    if ended:
        ledger.close_holds(connection, ended, at=at)


def _person(connection: Connection, subject: NamedSubject) -> KnownPerson:
    """The person. If the named address belongs to several profiles, none of them is taken for the
    person's."""
    profiles = {subject.profile} if subject.profile is not None else set()
    addresses = {normalize_address(subject.address)} if subject.address is not None else set()
    if addresses:
        _, known_for = _known_for(connection, addresses)
        profiles = known_for if len(known_for) == 1 else set()
    addresses |= inventory.addresses_of(connection, inventory.mentioning(profiles, ()))
    spellings, known_for = _known_for(connection, addresses)
    return KnownPerson(
        profiles=frozenset(profiles),
        addresses=frozenset(addresses),
        spellings=frozenset(spellings),
        shared_by=len(known_for - profiles),
    )


def _known_for(connection: Connection, addresses: set[str]) -> tuple[set[str], set[str]]:
    """The stored spellings of the addresses, and the profiles that have them."""
    spellings = inventory.spellings_of(connection, addresses)
    return spellings, inventory.profiles_of(connection, inventory.mentioning((), spellings))


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


def _lock_for_erasure(connection: Connection) -> None:
    """Let no other transaction add or change contacts or requests until this one ends.

    SQLite has one writer at a time. On Postgres a transaction that read before an erasure could
    otherwise write after it, and bring back what was erased.
    """
    _lock(connection, "contact_emails, requests", "SHARE ROW EXCLUSIVE")


def lock_for_import(connection: Connection) -> None:
    """Wait for erasures, and let none begin until the transaction ends."""
    _lock(connection, "contact_emails", "ROW EXCLUSIVE")


def _lock(connection: Connection, tables: str, mode: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {tables} IN {mode} MODE"))
