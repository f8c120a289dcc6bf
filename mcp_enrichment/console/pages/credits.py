"""Credits: balances and holds of the teams, the ledger, and grants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mcp_enrichment.console.visits import Refused
from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.billing import ledger

if TYPE_CHECKING:
    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

PAGE = 50
"""Entries of one page."""


async def show(visit: Visit) -> Response:
    """The balances of all teams, and the ledger of one."""
    named, before = visit.request.query_params.get("team"), visit.place("before")

    def read(connection: Any) -> dict[str, Any]:
        every = teams.list_all(connection)
        chosen = next((team for team in every if team.name == named), every[0] if every else None)
        entries = (
            ledger.history(connection, chosen.id, limit=PAGE + 1, before=before) if chosen else []
        )
        return {"teams": every, "chosen": chosen, "entries": entries}

    found = await visit.console.service.database.read(read)
    return visit.page("credits.html", before=before, rows=PAGE, **found)


async def change(visit: Visit) -> Response:
    """Grant credits; with a reason, correct the balance, also downwards."""
    name, reason = visit.form.get("team", ""), visit.form.get("reason", "").strip()
    amount = _amount(visit.form.get("amount", ""), may_be_negative=bool(reason))
    question, button = f"Grant {amount:,} credits to {name}?", f"Grant {amount:,} credits"
    if reason:
        question = f"Correct the balance of {name} by {amount:+,} credits: {reason}?"
        button = f"Correct by {amount:+,} credits"
    asked = visit.ask(
        question, button, back="/credits", team=name, amount=str(amount), reason=reason
    )
    if asked:
        return asked
    at = visit.console.service.clock()

    def move(connection: Any) -> ledger.Balance:
        team_id = teams.team_id_of(connection, name)
        if reason:
            return ledger.correct(connection, team_id, amount, at=at, reason=reason)
        return ledger.grant(connection, team_id, amount, at=at)

    balance = await visit.console.service.database.write(move)
    return visit.to("/credits", done=f"{name} now has {balance.available:,} credits available.")


def _amount(text: str, *, may_be_negative: bool) -> int:
    sign = "[+-]?" if may_be_negative else ""
    if not re.fullmatch(sign + "[0-9]{1,7}", text) or not 0 < abs(int(text)) <= ledger.MAX_AMOUNT:
        raise Refused(
            400,
            f"The amount must be a whole number from 1 to {ledger.MAX_AMOUNT:,}; only a "
            "correction, which has a reason, may be negative.",
            "Nothing was changed.",
        )
    return int(text)
