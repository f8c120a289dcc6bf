"""Statements on the embedded queue: claims with leases, so that a dead process loses nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, tuple_, update

from mcp_enrichment.service.db.schema import jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    DeleteDone: TypeAlias = Callable[[Connection, Sequence["Job"]], None]


# The count of claims tells a claim from a later one of the same process.
_THIS_CLAIM = and_(
    jobs.c.target_id == bindparam("this_target"),
    jobs.c.kind == bindparam("this_kind"),
    jobs.c.lease_owner == bindparam("this_owner"),
    jobs.c.attempts == bindparam("this_claim"),
)
_FINISH = delete(jobs).where(_THIS_CLAIM)


class JobKind(StrEnum):
    """The two jobs, both idempotent and keyed by what they are about."""

    LOOK_UP = "look-up"
    DELIVER = "deliver"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A claimed job. `claims` counts this claim too: more than one tells of earlier tries."""

    kind: JobKind
    target_id: str
    team_id: int
    attempts: int = 1
    has_begun: bool = field(default=False, compare=False)
    """The request of a lookup became `processing` when the job was taken."""
    may_wait: bool = field(default=True, compare=False)
    """A lookup may wait for its turn at a source that is full; else it goes to the line there."""
    number: int | None = field(default=None, compare=False)
    """What its engine knows it by."""
    delete_done: DeleteDone | None = field(default=None, compare=False, repr=False)
    """Its engine's: removes jobs, in the transaction that completes their work; None where that is
    left until the engine is told of the end."""


def delete_done(connection: Connection, done: Sequence[Job]) -> None:
    """Have the engines of these jobs remove them, where they do so."""
    of_engine: defaultdict[DeleteDone | None, list[Job]] = defaultdict(list)
    for job in done:
        of_engine[job.delete_done].append(job)
    for remove, its in of_engine.items():
        if remove:
            remove(connection, its)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Who claims jobs, and for how long. Times are seconds since the epoch."""

    owner: str
    now: float
    until: float


class Queue(Protocol):
    """How a job is written down, in the transaction that makes it necessary. This module is one."""

    def enqueue(
        self,
        connection: Connection,
        kind: JobKind,
        target_id: str,
        *,
        team_id: int,
        at: float,
        delay: float = 0,
    ) -> None:
        """Add a job at this time, due in `delay` seconds."""

    def enqueue_again(
        self, connection: Connection, kind: JobKind, target_id: str, *, team_id: int, at: float
    ) -> None:
        """Add a job that is due at once, beside or in place of one that is not done."""


def enqueue(
    connection: Connection,
    kind: JobKind,
    target_id: str,
    *,
    team_id: int,
    at: float,
    delay: float = 0,
) -> None:
    """Add a job, in the transaction that makes it necessary."""
    key = {"kind": kind, "target_id": target_id, "team_id": team_id}
    connection.execute(insert(jobs).values(key | {"run_at": at + delay, "attempts": 0}))


def enqueue_again(
    connection: Connection, kind: JobKind, target_id: str, *, team_id: int, at: float
) -> None:
    """Add a job, or make the one that is not done due at this time.

    Whoever works on that one loses it, and so cannot remove it when done with what it was before.
    """
    unfinished = update(jobs).where((jobs.c.target_id == target_id) & (jobs.c.kind == kind))
    anew = {"run_at": at, "lease_owner": None, "lease_until": None}
    if connection.execute(unfinished.values(anew)).rowcount == 0:
        enqueue(connection, kind, target_id, team_id=team_id, at=at)


def claim(
    connection: Connection, lease: Lease, kind: JobKind, *, limit: int, team_id: int | None = None
) -> Sequence[Job]:
    """Up to `limit` jobs of a kind that are due and that nobody works on, of all teams or of one,
    leased to who asks. A limit below 1 claims none."""
    if limit < 1:
        return []  # to SQLite a negative LIMIT is none at all
    these = _claimable(kind, lease.now)
    if team_id is not None:
        these &= jobs.c.team_id == team_id
    oldest = select(jobs.c.target_id).where(these).order_by(jobs.c.run_at).limit(limit)
    leased = {
        "lease_owner": lease.owner,
        "lease_until": lease.until,
        "attempts": jobs.c.attempts + 1,
    }
    claimed = update(jobs).where(jobs.c.kind == kind, jobs.c.target_id.in_(oldest)).values(leased)
    columns = [jobs.c.target_id, jobs.c.team_id, jobs.c.attempts]
    rows = connection.execute(claimed.returning(*columns))
    return [Job(kind=kind, **row._mapping) for row in rows]


def claim_fairly(
    connection: Connection,
    lease: Lease,
    kind: JobKind,
    *,
    limit: int,
    share: int,
    at_work: Mapping[int, int],
    served: Sequence[int] = (),
) -> Sequence[Job]:
    """`claim`, with at most `share` jobs of any one team; `at_work`: how many there are of each.

    The team with the fewest comes first, so that no team's backlog keeps another one waiting. Of
    teams with as many each, that one comes first which is not in `served`, or earliest there; then
    the one whose oldest job is due longest.
    """
    claimed: list[Job] = []
    counts, order = Counter(at_work), {team_id: place for place, team_id in enumerate(served)}
    due = _teams_with_claimable(connection, kind, lease.now) if limit > 0 else {}
    while (teams := [one for one in due if counts[one] < share]) and len(claimed) < limit:
        team_id = min(teams, key=lambda one: (counts[one], order.get(one, -1), due[one]))
        room = min(share - counts[team_id], limit - len(claimed)) if len(teams) == 1 else 1
        its = claim(connection, lease, kind, limit=room, team_id=team_id)
        claimed += its
        counts[team_id] += len(its)
        order[team_id] = len(order) + len(claimed)
        if len(its) < room:
            del due[team_id]
    return claimed


def renew(connection: Connection, owner: str, held: Collection[Job], *, until: float) -> None:
    """Keep those of the jobs that `owner` has not lost."""
    keys = [(job.target_id, job.kind) for job in held]
    these = tuple_(jobs.c.target_id, jobs.c.kind).in_(keys) & (jobs.c.lease_owner == owner)
    connection.execute(update(jobs).where(these).values(lease_until=until))


def finish(connection: Connection, owner: str, done: Sequence[Job]) -> None:
    """Remove jobs that are done, unless somebody else has taken them over."""
    connection.execute(_FINISH, [_mine(owner, job) for job in done])


def reschedule(connection: Connection, owner: str, job: Job, *, run_at: float) -> None:
    """Give a job back, to be claimed again at `due_at`."""
    back = {"lease_owner": None, "lease_until": None, "run_at": run_at}
    connection.execute(update(jobs).where(_THIS_CLAIM).values(back), _mine(owner, job))


def release(connection: Connection, owner: str) -> None:
    """Give back, at once, every job that `owner` works on, as if it had not been claimed."""
    back = {"lease_owner": None, "lease_until": None, "attempts": jobs.c.attempts - 1}
    connection.execute(update(jobs).where(jobs.c.lease_owner == owner).values(back))


def next_run_at(connection: Connection, *, after: float) -> float | None:
    """When the next job becomes claimable, by its time or its lease's end; None: there is none."""
    free = jobs.c.lease_until.is_(None) & (jobs.c.run_at > after)
    times = [select(func.min(jobs.c.run_at)).where(jobs.c.kind == kind, free) for kind in JobKind]
    times.append(select(func.min(jobs.c.lease_until)).where(jobs.c.lease_until >= after))
    found = [connection.execute(time).scalar() for time in times]
    return min((time for time in found if time is not None), default=None)


def waiting(connection: Connection) -> dict[str, int]:
    """How many jobs of each kind are not done."""
    rows = connection.execute(select(jobs.c.kind, func.count()).group_by(jobs.c.kind))
    return {kind: count for kind, count in rows}  # noqa: C416 (typed as a row, not as a pair)


def oldest_run_at(connection: Connection) -> float | None:
    """When the job that is due first became due, or will; None where there is none."""
    return connection.execute(select(func.min(jobs.c.run_at))).scalar()


def _claimable(kind: JobKind, now: float) -> ColumnElement[bool]:
    free = or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < now)
    return (jobs.c.kind == kind) & (jobs.c.run_at <= now) & free


def _teams_with_claimable(connection: Connection, kind: JobKind, now: float) -> dict[int, float]:
    """The teams that have claimable jobs of a kind, and since when the oldest of each is due.

    The index is walked from team to team, whatever the number of jobs between: a backlog of one
    team costs the others nothing.
    """
    ids = func.min(jobs.c.team_id)
    first = select(ids.label("id")).where(jobs.c.kind == kind).cte("owners", recursive=True)
    following = select(ids).where(jobs.c.kind == kind, jobs.c.team_id > first.c.id)
    owners = first.union_all(select(following.scalar_subquery()).where(first.c.id.is_not(None)))
    oldest = select(func.min(jobs.c.run_at)).where(
        _claimable(kind, now), jobs.c.team_id == owners.c.id
    )
    rows = connection.execute(select(owners.c.id, oldest.scalar_subquery()))
    return {team_id: run_at for team_id, run_at in rows if run_at is not None}


def _mine(owner: str, job: Job) -> Mapping[str, Any]:
    this = {"this_target": job.target_id, "this_kind": job.kind}
    return this | {"this_owner": owner, "this_claim": job.attempts}
