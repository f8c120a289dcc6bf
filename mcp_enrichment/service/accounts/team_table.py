"""Statements on teams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from mcp_enrichment.service.db.schema import callback_secrets, teams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Team:
    """A team and its credits."""

    id: int
    name: str
    available: int
    held: int


def add(connection: Connection, name: str, *, at: float) -> int:
    """The id of a new team, without credits."""
    row = {"name": name, "available": 0, "held": 0, "created_at": at}
    added = connection.execute(insert(teams).values(row).returning(teams.c.id))
    return int(added.scalar_one())


def id_of(connection: Connection, name: str) -> int | None:
    """The team of this name."""
    return connection.execute(select(teams.c.id).where(teams.c.name == name)).scalar()


def list_all(connection: Connection) -> Sequence[Team]:
    """All teams, by name."""
    columns = select(teams.c.id, teams.c.name, teams.c.available, teams.c.held)
    return [Team(**row._mapping) for row in connection.execute(columns.order_by(teams.c.name))]


def add_secret(connection: Connection, team_id: int, secret: str, *, at: float) -> None:
    """A new secret for the team's callbacks, beside those that it has."""
    row = {"team_id": team_id, "secret": secret, "created_at": at}
    connection.execute(insert(callback_secrets).values(row))


def lock(connection: Connection, team_id: int) -> None:
    """Have no other transaction hold the team until this one ends."""
    this = select(teams.c.id).where(teams.c.id == team_id)
    connection.execute(this.with_for_update(key_share=True))


def newest_secrets(connection: Connection, team_id: int, limit: int) -> Sequence[str]:
    """The newest secrets of the team's callbacks, the very newest first."""
    mine = select(callback_secrets.c.secret).where(callback_secrets.c.team_id == team_id)
    newest = mine.order_by(callback_secrets.c.id.desc()).limit(limit)
    return connection.execute(newest).scalars().all()


def credit_totals(connection: Connection) -> dict[str, int]:
    """The credits of all teams: what is available and held, and what has moved of each kind."""
    figures = ("available", "held", "granted", "corrected", "settled", "released")
    summed = [func.coalesce(func.sum(teams.c[name]), 0).label(name) for name in figures]
    row = connection.execute(select(*summed)).one()
    return {name: int(total) for name, total in row._mapping.items()}
