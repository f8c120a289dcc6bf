"""Statements on the embedded queue: claims with leases, so that a dead process loses nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import case, delete, func, insert, or_, select, tuple_, update

from mcp_enrichment.service.store.schema import jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import ColumnElement, Connection


class JobKind(StrEnum):
    """The two jobs, both idempotent and keyed by what they are about."""

    LOOK_UP = "look-up"
    DELIVER = "deliver"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A claimed job. `claims` counts this claim too: more than one tells of earlier tries."""

    kind: JobKind
    subject: str
    claims: int = 1
    has_begun: bool = field(default=False, compare=False)
    """The request of a lookup became `processing` when the job was taken."""
    take_off: Callable[[Connection], None] | None = field(default=None, compare=False, repr=False)
    """Removes the job, in the transaction that completes its work; None where the engine does that
    by itself when it is told of the end."""


class Queue(Protocol):
    """How a job is written down, in the transaction that makes it necessary. This module is one."""

    def put(
        self, connection: Connection, kind: JobKind, subject: str, *, at: float, delay: float = 0
    ) -> None:
        """Add a job at this time, due in `delay` seconds."""

    def put_again(self, connection: Connection, kind: JobKind, subject: str, *, at: float) -> None:
        """Add a job that is due at once, beside or in place of one that is not done."""


def put(
    connection: Connection, kind: JobKind, subject: str, *, at: float, delay: float = 0
) -> None:
    """Add a job, in the transaction that makes it necessary."""
    job = {"kind": kind, "subject": subject, "due_at": at + delay, "claims": 0}
    connection.execute(insert(jobs).values(job))


def put_again(connection: Connection, kind: JobKind, subject: str, *, at: float) -> None:
    """Add a job, or make the one that is not done due at this time.

    Whoever works on that one loses it, and so cannot remove it when done with what it was before.
    """
    unfinished = update(jobs).where((jobs.c.subject == subject) & (jobs.c.kind == kind))
    anew = {"due_at": at, "lease_owner": None, "lease_until": None}
    if connection.execute(unfinished.values(anew)).rowcount == 0:
        put(connection, kind, subject, at=at)


def claim(
    connection: Connection, owner: str, *, limit: int, now: float, until: float
) -> Sequence[Job]:
    """Lease to `owner` up to `limit` jobs that are due and that nobody works on."""
    due = select(jobs.c.subject, jobs.c.kind).where(_free(now), jobs.c.due_at <= now)
    chosen = tuple_(jobs.c.subject, jobs.c.kind).in_(due.order_by(jobs.c.due_at).limit(limit))
    lease = {"lease_owner": owner, "lease_until": until, "claims": jobs.c.claims + 1}
    claimed = update(jobs).where(chosen).values(lease)
    rows = connection.execute(claimed.returning(jobs.c.kind, jobs.c.subject, jobs.c.claims))
    return [Job(kind=JobKind(kind), subject=rid, claims=claims) for kind, rid, claims in rows]


def renew(connection: Connection, owner: str, held: Collection[Job], *, until: float) -> None:
    """Keep those of the jobs that `owner` has not lost."""
    keys = [(job.subject, job.kind) for job in held]
    these = tuple_(jobs.c.subject, jobs.c.kind).in_(keys) & (jobs.c.lease_owner == owner)
    connection.execute(update(jobs).where(these).values(lease_until=until))


def finish(connection: Connection, owner: str, job: Job) -> None:
    """Remove a job that is done, unless somebody else has taken it over."""
    connection.execute(delete(jobs).where(_mine(owner, job)))


def put_off(connection: Connection, owner: str, job: Job, *, due_at: float) -> None:
    """Give a job back, to be claimed again at `due_at`."""
    back = {"lease_owner": None, "lease_until": None, "due_at": due_at}
    connection.execute(update(jobs).where(_mine(owner, job)).values(back))


def give_back(connection: Connection, owner: str) -> None:
    """Give back, at once, every job that `owner` works on."""
    mine = update(jobs).where(jobs.c.lease_owner == owner)
    connection.execute(mine.values(lease_owner=None, lease_until=None))


def next_due(connection: Connection) -> float | None:
    """When the next job can be claimed, by its time or its lease's end; None: there is none."""
    leased = jobs.c.lease_until > jobs.c.due_at
    claimable = case((leased, jobs.c.lease_until), else_=jobs.c.due_at)
    return connection.execute(select(func.min(claimable))).scalar()


def waiting(connection: Connection) -> dict[str, int]:
    """How many jobs of each kind are not done."""
    rows = connection.execute(select(jobs.c.kind, func.count()).group_by(jobs.c.kind))
    return {kind: count for kind, count in rows}  # noqa: C416 (typed as a row, not as a pair)


def oldest_due(connection: Connection) -> float | None:
    """When the job that is due first became due, or will; None where there is none."""
    return connection.execute(select(func.min(jobs.c.due_at))).scalar()


def _free(now: float) -> ColumnElement[bool]:
    return or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < now)


def _mine(owner: str, job: Job) -> ColumnElement[bool]:
    # The count of claims tells this claim from a later one of the same process.
    this = (jobs.c.subject == job.subject) & (jobs.c.kind == job.kind)
    return this & (jobs.c.lease_owner == owner) & (jobs.c.claims == job.claims)
