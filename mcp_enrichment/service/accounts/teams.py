"""Teams, and the secrets that their callbacks are signed with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, select

from mcp_enrichment.contract import standard_webhooks
from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_CHANGED, Explanation
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.db.prepared import Prepared
from mcp_enrichment.service.db.schema import callback_secrets, teams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

FIRST_GRANT = 250
"""Credits that a new installation starts with."""
SECRETS_VALID = 2
"""A callback is signed with each of the newest two, so that a receiver can change over."""
_VALID_SECRETS = Prepared(
    select(callback_secrets.c.secret)
    .where(callback_secrets.c.team_id == bindparam("team_id"))
    .order_by(callback_secrets.c.id.desc())
    .limit(SECRETS_VALID)
)

_NAME = re.compile(r"\w([\w .-]{0,98}[\w.-])?")  # no trailing space, which is invisible


@dataclass(frozen=True, kw_only=True, slots=True)
class Team:
    id: int
    name: str
    available: int
    held: int


def id_of(connection: Connection, name: str) -> int | None:
    return connection.execute(select(teams.c.id).where(teams.c.name == name)).scalar()


def list_all(connection: Connection) -> Sequence[Team]:
    """All teams, by name."""
    columns = select(teams.c.id, teams.c.name, teams.c.available, teams.c.held)
    return [Team(**row._mapping) for row in connection.execute(columns.order_by(teams.c.name))]


def credit_totals(connection: Connection) -> dict[str, int]:
    """The sums of all teams: available and held, and each kind of movement."""
    figures = ("available", "held", "granted", "corrected", "settled", "released")
    summed = [func.coalesce(func.sum(teams.c[name]), 0).label(name) for name in figures]
    row = connection.execute(select(*summed)).one()
    return {name: int(total) for name, total in row._mapping.items()}


def embedded_team(connection: Connection, *, at: float) -> int:
    """The id of the embedded team, created with its first grant if it does not exist."""
    found = id_of(connection, DEFAULT_TEAM)
    return found or _with_credits(connection, DEFAULT_TEAM, FIRST_GRANT, at=at)


def add(connection: Connection, name: str, credits: int, *, at: float) -> int:  # noqa: A002
    """A new team. Raises `InvalidArguments` for a name that is taken, or none."""
    if not _NAME.fullmatch(name):
        raise _refused(
            "The team's name cannot be used.",
            "Use 1 to 100 letters, digits, spaces, dots or dashes.",
        )
    if id_of(connection, name) is not None:
        raise _refused(f"There already is a team {name!r}.", "Choose another name.")
    return _with_credits(connection, name, credits, at=at)


def team_id_of(connection: Connection, name: str) -> int:
    """The id of the team of this name. Raises `InvalidArguments` if there is none."""
    found = id_of(connection, name)
    if found is None:
        raise _refused(f"There is no team {name!r}.", "`mcp-enrichment teams list` shows them all.")
    return found


def _refused(happened: str, what_to_do: str) -> InvalidArguments:
    return InvalidArguments(
        Explanation(happened=happened, money=NOTHING_CHANGED, for_person=what_to_do)
    )


def local_team(connection: Connection, name: str, *, at: float) -> int:
    """The team of this name, for local commands. The embedded one is created when needed."""
    return (
        embedded_team(connection, at=at) if name == DEFAULT_TEAM else team_id_of(connection, name)
    )


def signing_secrets(connection: Connection, team_id: int, *, at: float) -> Sequence[str]:
    """The secrets of the team's callbacks that are valid now, the newest first; one at least."""
    mine = {"team_id": team_id}
    if not (valid := _VALID_SECRETS.rows(connection, mine)):
        # The team is locked: only one process creates the first secret.
        this = select(teams.c.id).where(teams.c.id == team_id)
        connection.execute(this.with_for_update(key_share=True))
        valid = _VALID_SECRETS.rows(connection, mine)
    return [secret for (secret,) in valid] or [rotate_secret(connection, team_id, at=at)]


def rotate_secret(connection: Connection, team_id: int, *, at: float) -> str:
    """A new secret; the one before stays valid until the next rotation."""
    secret = standard_webhooks.new_secret()
    row = {"team_id": team_id, "secret": secret, "created_at": at}
    connection.execute(insert(callback_secrets).values(row))
    return secret


def _with_credits(connection: Connection, name: str, credits: int, *, at: float) -> int:  # noqa: A002
    row = {"name": name, "available": 0, "held": 0, "created_at": at}
    team_id: int = connection.execute(insert(teams).values(row).returning(teams.c.id)).scalar_one()
    if credits:
        ledger.grant(connection, team_id, credits, at=at)
    return team_id
