"""Teams, and the secrets that their callbacks are signed with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_CHANGED, Explanation
from mcp_enrichment.service.accounts import team_table
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.callbacks import webhook_signing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

FIRST_GRANT = 250
"""Credits that a new installation starts with."""
SECRETS_VALID = 2
"""A callback bears a signature by each of the newest two, so that a receiver may change over."""

_NAME = re.compile(r"\w([\w .-]{0,98}[\w.-])?")  # no space at an end, where nobody sees it


def embedded_team(connection: Connection, *, at: float) -> int:
    """The id of the embedded team, made with its first grant where it does not exist."""
    found = team_table.id_of(connection, DEFAULT_TEAM)
    return found or _with_credits(connection, DEFAULT_TEAM, FIRST_GRANT, at=at)


def add(connection: Connection, name: str, credits: int, *, at: float) -> int:  # noqa: A002
    """A new team. Raises `InvalidArguments` for a name that is taken, or none."""
    if not _NAME.fullmatch(name):
        raise _refused(
            "The team's name cannot be used.",
            "Use 1 to 100 letters, digits, spaces, dots or dashes.",
        )
    if team_table.id_of(connection, name) is not None:
        raise _refused(f"There already is a team {name!r}.", "Choose another name.")
    return _with_credits(connection, name, credits, at=at)


def team_id_of(connection: Connection, name: str) -> int:
    """The id of the team of this name. Raises `InvalidArguments` where there is none."""
    found = team_table.id_of(connection, name)
    if found is None:
        raise _refused(f"There is no team {name!r}.", "`mcp-enrichment teams list` shows them all.")
    return found


def _refused(happened: str, what_to_do: str) -> InvalidArguments:
    return InvalidArguments(
        Explanation(happened=happened, money=NOTHING_CHANGED, for_person=what_to_do)
    )


def local_team(connection: Connection, name: str, *, at: float) -> int:
    """The team of this name for who sits at the machine: the embedded one is made when needed."""
    return (
        embedded_team(connection, at=at) if name == DEFAULT_TEAM else team_id_of(connection, name)
    )


def signing_secrets(connection: Connection, team_id: int, *, at: float) -> Sequence[str]:
    """The secrets of the team's callbacks that are valid now, the newest first; one at least."""
    if valid := team_table.newest_secrets(connection, team_id, SECRETS_VALID):
        return valid
    team_table.lock(connection, team_id)  # the first secret is made once, whoever needs it first
    return team_table.newest_secrets(connection, team_id, SECRETS_VALID) or [
        rotate_secret(connection, team_id, at=at)
    ]


def rotate_secret(connection: Connection, team_id: int, *, at: float) -> str:
    """A new secret; the one before stays valid until the next rotation."""
    secret = webhook_signing.new_secret()
    team_table.add_secret(connection, team_id, secret, at=at)
    return secret


def _with_credits(connection: Connection, name: str, credits: int, *, at: float) -> int:  # noqa: A002
    team_id = team_table.add(connection, name, at=at)
    if credits:
        ledger.grant(connection, team_id, credits, at=at)
    return team_id
