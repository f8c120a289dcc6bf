"""SQL of the audit log: who did what to how many rows; people are pseudonyms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from mcp_enrichment.service.db.schema import audit_log

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection


class Actor(StrEnum):
    OPERATOR = "operator"
    """A person at the command line or in the console."""
    SERVICE = "service"
    """The service itself."""


class Action(StrEnum):
    SUPPRESS = "suppress"
    LIFT = "lift"
    ERASE = "erase"
    EXPORT = "export"
    REVEAL = "reveal"
    """An address was shown in full in the console."""
    IMPORT = "import"
    EXPIRE = "expire"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One row. `at` is in seconds since the epoch."""

    at: float
    actor: str
    action: str
    pseudonym: str | None
    counts: str
    """The number of rows by table, as JSON."""


def record(
    connection: Connection,
    action: Action,
    *,
    at: float,
    counts: Mapping[str, int],
    pseudonym: str | None = None,
    actor: Actor = Actor.OPERATOR,
) -> None:
    row = {"at": at, "actor": actor, "action": action, "pseudonym": pseudonym}
    connection.execute(insert(audit_log).values(row | {"counts": json.dumps(dict(counts))}))


def newest(connection: Connection, *, limit: int) -> Sequence[Entry]:
    """The newest entries first."""
    return _entries(connection, audit_log.c.id > 0, limit=limit)


def about(connection: Connection, pseudonyms: Collection[str]) -> Sequence[Entry]:
    """The entries about one of these pseudonyms, the newest first."""
    return _entries(connection, audit_log.c.pseudonym.in_(pseudonyms))


def _entries(
    connection: Connection, which: ColumnElement[bool], *, limit: int | None = None
) -> Sequence[Entry]:
    columns = [audit_log.c[name] for name in Entry.__dataclass_fields__]
    rows = connection.execute(
        select(*columns).where(which).order_by(audit_log.c.id.desc()).limit(limit)
    )
    return [Entry(**row._mapping) for row in rows]
