"""Balances, their history, grants and corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_CHANGED, Explanation
from mcp_enrichment.service.billing import ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.billing.ledger import Balance, Entry
    from mcp_enrichment.service.db.database import Database


MAX_REASON = 200
_NO_CORRECTION = Explanation(
    happened="The correction has no amount or no reason.",
    money=NOTHING_CHANGED,
    for_person=f"Give an amount other than 0 and a reason of 1 to {MAX_REASON} characters.",
)
_TOO_FEW = Explanation(
    happened="The team has fewer credits available than would be taken.",
    money=NOTHING_CHANGED,
    for_person="Take fewer, or wait until the lookups that hold credits have ended.",
)


async def balance(database: Database, team_id: int) -> Balance:
    """The team's available and held credits."""
    return await database.read(lambda c: ledger.balance(c, team_id))


async def history(
    database: Database, team_id: int, *, limit: int, before: int | None = None
) -> Sequence[Entry]:
    """The newest entries of the team's ledger, or those older than the entry `before`."""
    return await database.read(lambda c: ledger.history(c, team_id, limit=limit, before=before))


def grant(connection: Connection, team_id: int, amount: int, *, at: float) -> Balance:
    """Add credits, at least one; the balance that follows."""
    ledger.grant(connection, team_id, amount, at=at)
    return ledger.balance(connection, team_id)


def correct(
    connection: Connection, team_id: int, amount: int, *, at: float, reason: str
) -> Balance:
    """Add or, with a negative amount, take credits by hand; the balance that follows.

    Raises `InvalidArguments` for nothing to correct, no reason, or fewer credits than are taken.
    """
    if not amount or not reason.strip() or len(reason) > MAX_REASON:
        raise InvalidArguments(_NO_CORRECTION)
    if not ledger.correct(connection, team_id, amount, at=at, reason=reason):
        raise InvalidArguments(_TOO_FEW)
    return ledger.balance(connection, team_id)
