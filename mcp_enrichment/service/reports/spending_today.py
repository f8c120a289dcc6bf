"""The credits that were spent since a time, by all teams together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from mcp_enrichment.contract.models import LedgerEntryKind
from mcp_enrichment.service.db.schema import ledger

if TYPE_CHECKING:
    from sqlalchemy import Connection

NEWEST = 10_000
"""The most entries of the ledger that are read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """Credits that were settled."""

    credits: int
    is_cut: bool
    """Whether it may be more: only the newest entries were read."""


def spent_since(connection: Connection, since: float) -> Spent:
    """The credits that lookups have cost since this time."""
    newest = (
        select(ledger.c.at, ledger.c.kind, ledger.c.amount)
        .order_by(ledger.c.id.desc())
        .limit(NEWEST)
        .subquery()
    )
    is_settled = (newest.c.kind == LedgerEntryKind.SETTLE) & (newest.c.at >= since)
    sums = select(
        func.coalesce(func.sum(newest.c.amount).filter(is_settled), 0),
        func.count(),
        func.min(newest.c.at),
    )
    credits_spent, read, oldest = connection.execute(sums).one()
    return Spent(credits=int(credits_spent), is_cut=read == NEWEST and oldest >= since)
