"""Teams and keys: adding a team, and making and revoking keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_enrichment.console.visits import Refused
from mcp_enrichment.service.accounts import api_keys, teams

if TYPE_CHECKING:
    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

OPERATOR = "(operator)"
"""In place of a team's name, which has no parentheses."""


async def show(visit: Visit) -> Response:
    """All teams and all keys, the newest key first."""
    every, keys = await visit.console.service.database.read(
        lambda c: (teams.list_all(c), api_keys.list_all(c))
    )
    return visit.page("teams.html", teams=every, keys=list(reversed(keys)), operator=OPERATOR)


async def add_team(visit: Visit) -> Response:
    """Add a team."""
    name, amount = visit.form.get("name", "").strip(), visit.form.get("credits", "0").strip()
    if not re.fullmatch("[0-9]{1,9}", amount):
        raise Refused(400, "Credits must be a whole number.", "Nothing was changed.")
    asked = visit.ask(
        f"Add the team {name} with {int(amount):,} credits?",
        "Add the team",
        back="/teams",
        name=name,
        credits=amount,
    )
    if asked:
        return asked
    service = visit.console.service
    await service.database.write(lambda c: teams.add(c, name, int(amount), at=service.clock()))
    return visit.to("/teams", done=f"Added the team {name} with {int(amount):,} credits.")


async def create_key(visit: Visit) -> Response:
    """Make a key. It is on this page only."""
    name = visit.form.get("team", "")
    asked = visit.ask(
        f"Make a key for {name}? It is shown once.", "Make the key", back="/teams", team=name
    )
    if asked:
        return asked
    service, team = visit.console.service, None if name == OPERATOR else name
    made = await service.database.write(lambda c: api_keys.create(c, team, at=service.clock()))
    return visit.page("new_key.html", key=made.key, team=name)


async def revoke_key(visit: Visit) -> Response:
    """Revoke a key. Its callers are refused from then on."""
    key_id = visit.form.get("key", "")
    asked = visit.ask(
        f"Revoke the key {key_id}, for good? Every request with it is refused from then on.",
        "Revoke the key",
        back="/teams",
        key=key_id,
    )
    if asked:
        return asked
    service = visit.console.service
    if not await service.database.write(lambda c: api_keys.revoke(c, key_id, at=service.clock())):
        raise Refused(404, "There is no valid key with this id.", "Nothing was changed.")
    return visit.to("/teams", done=f"Revoked the key {key_id}.")
