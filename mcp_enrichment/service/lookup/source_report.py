"""Figures about the sources, and one trial lookup, for `sources list` and `check`."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.contacts.contact_import import StoredContacts
from mcp_enrichment.service.contacts.person_records import inferred_source
from mcp_enrichment.service.lookup import circuit_table, source_stats
from mcp_enrichment.service.lookup.source_call_mapping import match_email_type
from mcp_enrichment.service.lookup.source_call_table import CallState
from mcp_enrichment.service.lookup.vendor_calls import WORKING_SECONDS
from mcp_enrichment.service.privacy.subject_requests import is_address_suppressed
from mcp_enrichment.service.sources.base import Hit, InProgress, Lost, LostReason, Miss, is_vendor
from mcp_enrichment.service.sources.contacts import ContactsSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.lookup.circuit_table import Circuit
    from mcp_enrichment.service.sources.base import Misconfigured, Outcome, Source, Unavailable


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceReport:
    """What a source was asked by this database's service, and has answered."""

    asked: int
    """Questions put; more than requests where it had done nothing and was asked again."""
    hits: int
    """Those with an address that is not told count too."""
    misses: int
    lost: int
    """Answers that never came: each may have cost something."""
    spent: float
    """Its own credits."""
    median_seconds: float | None
    """Of its last hits and misses; None where there is none."""
    health: Circuit | None
    """None: it is well."""


def source_report(connection: Connection, source: str) -> SourceReport:
    """How a source does."""
    counts = source_stats.counts(connection, source)
    asked, spent = source_stats.asked_and_spent(connection, source)
    took = source_stats.seconds(connection, source)
    return SourceReport(
        asked=asked,
        hits=counts.get(CallState.HIT, 0) + counts.get(CallState.REJECTED, 0),
        misses=counts.get(CallState.MISS, 0),
        lost=counts.get(CallState.LOST, 0),
        spent=spent,
        median_seconds=median(took) if took else None,
        health=circuit_table.get(connection, source),
    )


def keyless_sources(database: Database) -> Mapping[str, Source]:
    """The sources that need no key, by name."""
    contacts, inferred = ContactsSource(StoredContacts(database)), inferred_source(database)
    return {source.name: source for source in (contacts, inferred)}


async def balance_of(source: Source) -> float | Unavailable | Misconfigured | None:
    """What a vendor has left; None where it cannot be asked."""
    return await source.balance() if is_vendor(source) else None


async def trial_lookup(
    database: Database, source: Source, profile: str, kind: EmailType
) -> Outcome:
    """What a source says of a profile, for nobody's request: neither kept nor counted. A
    suppressed address is told to nobody here either."""
    answer = await _answer(source, profile, kind)
    if isinstance(answer, Hit) and is_vendor(source):
        answer = match_email_type(answer, kind, source.terms)
    if not isinstance(answer, Hit):
        return answer
    for hit in (answer, *answer.others):
        if not await is_address_suppressed(database, hit.email):
            return hit
    return Miss(reason=Reason.SUPPRESSED, cost=answer.cost)


async def _answer(source: Source, profile: str, kind: EmailType) -> Outcome:
    began = anyio.current_time()
    answer = await source.find(profile, kind)
    while isinstance(answer, InProgress):
        if not is_vendor(source) or anyio.current_time() - began > WORKING_SECONDS:
            return Lost(why=LostReason.NO_ANSWER)
        ticket = answer.ticket
        await anyio.sleep(answer.poll_after)
        answer = await source.collect(ticket, kind)
    return answer
