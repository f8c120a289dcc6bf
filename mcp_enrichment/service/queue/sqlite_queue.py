"""SQL of the queue on SQLite: jobs are claimed with leases, so a dead process loses none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from mcp_enrichment.service.db.prepared import Prepared
from mcp_enrichment.service.db.schema import NOT_FINAL, jobs, requests
from mcp_enrichment.service.queue.job import Job, JobKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Select

# The number of attempts tells a claim from a later one of the same process.
_THIS_CLAIM = and_(
    jobs.c.target_id == bindparam("this_target"),
    jobs.c.kind == bindparam("this_kind"),
    jobs.c.lease_owner == bindparam("this_owner"),
    jobs.c.attempts == bindparam("this_claim"),
)
_ADD = Prepared(insert(jobs), ("kind", "target_id", "team_id", "run_at", "attempts"))
_ADD_LEASED = Prepared(
    insert(jobs),
    ("kind", "target_id", "team_id", "run_at", "attempts", "lease_owner", "lease_until"),
)
_RUNNING_TARGET = exists().where(requests.c.id == jobs.c.target_id, NOT_FINAL)
# The lookup of a request that is not final is never deleted, whatever its handler has read.
_FINISH = Prepared(delete(jobs).where(_THIS_CLAIM, not_(_RUNNING_TARGET)))
_RELEASED = {"lease_owner": None, "lease_until": None, "attempts": jobs.c.attempts - 1}
_RESCHEDULE = Prepared(
    update(jobs)
    .where(_THIS_CLAIM)
    .values(lease_owner=None, lease_until=None, run_at=bindparam("next_run_at"))
)
_WAIT_FOR = Prepared(
    update(jobs).where(_THIS_CLAIM).values(_RELEASED | {"waits_for": bindparam("this_source")})
)
_HAS_WAITING = Prepared(
    select(jobs.c.kind)
    .where(jobs.c.kind == JobKind.LOOK_UP, jobs.c.waits_for == bindparam("source"))
    .limit(1)
)
# `IS`, as the jobs that wait for no source have a null.
_QUEUE = and_(
    jobs.c.kind == bindparam("this_kind"),
    jobs.c.waits_for.is_not_distinct_from(bindparam("this_source")),
)
_CLAIMABLE = and_(
    _QUEUE,
    jobs.c.run_at <= bindparam("now"),
    or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < bindparam("now")),
)
_OLDEST_OF_TEAM = (
    select(jobs.c.target_id)
    .where(_CLAIMABLE, jobs.c.team_id == bindparam("this_team"))
    .order_by(jobs.c.run_at)
    .limit(bindparam("at_most"))
)
_CLAIM = Prepared(
    update(jobs)
    .where(jobs.c.kind == bindparam("this_kind"), jobs.c.target_id.in_(_OLDEST_OF_TEAM))
    .values(
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
        attempts=jobs.c.attempts + 1,
        waits_for=None,
    )
    .returning(jobs.c.target_id, jobs.c.team_id, jobs.c.attempts)
)


def _teams_with_claimable() -> Select[Any]:
    """The teams that have claimable jobs, each with the time at which its oldest one became due.

    The query steps through the index from team to team, so the length of a backlog does not matter.
    """
    ids = func.min(jobs.c.team_id)
    first = select(ids.label("id")).where(_QUEUE).cte("waiting_teams", recursive=True)
    following = select(ids).where(_QUEUE, jobs.c.team_id > first.c.id)
    after_first = select(following.scalar_subquery()).where(first.c.id.is_not(None))
    waiting_teams = first.union_all(after_first)
    oldest = select(func.min(jobs.c.run_at)).where(_CLAIMABLE, jobs.c.team_id == waiting_teams.c.id)
    return select(waiting_teams.c.id, oldest.scalar_subquery())


_TEAMS_WITH_CLAIMABLE = Prepared(_teams_with_claimable())


def _next_run_at() -> Select[Any]:
    """The least of three times, each of which is the first entry of an index."""
    free = jobs.c.lease_until.is_(None) & (jobs.c.run_at > bindparam("after"))
    times = [
        select(func.min(jobs.c.run_at).label("at")).where(jobs.c.kind == kind, free)
        for kind in JobKind
    ]
    leases = select(func.min(jobs.c.lease_until)).where(jobs.c.lease_until >= bindparam("after"))
    return select(func.min(union_all(*times, leases).subquery().c.at))


_NEXT_RUN_AT = Prepared(_next_run_at())


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """A claim of `owner`, which lasts from `now` until `until`, in seconds since the epoch."""

    owner: str
    now: float
    until: float


class Turns:
    """The order in which teams are served: the team with the fewest jobs under way is first, so
    that no team's backlog delays another team. Among equal teams the order is: not served, served
    earliest, longest overdue."""

    def __init__(
        self, share: int, at_work: Mapping[int, int] | None = None, served: Iterable[int] = ()
    ) -> None:
        """`share`: the most jobs of one team under way; `at_work`: their number by team; `served`:
        teams whose jobs were claimed, the least recent first."""
        self._share = share
        self._at_work = Counter(at_work)
        self._served = dict.fromkeys(served)

    @property
    def at_work(self) -> int:
        """The jobs under way."""
        return self._at_work.total()

    def room(self, team_id: int) -> int:
        """The number of jobs of this team that may be added to those under way."""
        return self._share - self._at_work[team_id]

    def order(self, due: Mapping[int, float]) -> Sequence[int]:
        """The teams with room, in the order of their turns. `due`: by team, the time at which its
        oldest job became due, in seconds since the epoch."""
        places = {team_id: place for place, team_id in enumerate(self._served)}
        return sorted(
            (team_id for team_id in due if self.room(team_id) > 0),
            key=lambda team_id: (self._at_work[team_id], places.get(team_id, -1), due[team_id]),
        )

    def take(self, team_id: int, jobs: int) -> None:
        """Add this number of jobs of the team to those under way."""
        self._at_work[team_id] += jobs
        self._served.pop(team_id, None)
        self._served[team_id] = None


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
    row = {"kind": kind, "target_id": target_id, "team_id": team_id}
    _ADD.change(connection, row | {"run_at": at + delay, "attempts": 0})


def enqueue_leased(connection: Connection, lease: Lease, job: Job) -> None:
    """Add a job that is due now and claimed already."""
    row = {"kind": job.kind, "target_id": job.target_id, "team_id": job.team_id}
    row |= {
        "run_at": lease.now,
        "attempts": job.attempts,
        "lease_owner": lease.owner,
        "lease_until": lease.until,
    }
    _ADD_LEASED.change(connection, row)


def enqueue_again(
    connection: Connection, kind: JobKind, target_id: str, *, team_id: int, at: float
) -> None:
    """Add a job, or make the unfinished one due at this time.

    A worker that has the unfinished one loses its lease, and so cannot delete the job.
    """
    unfinished = update(jobs).where((jobs.c.target_id == target_id) & (jobs.c.kind == kind))
    anew = {"run_at": at, "lease_owner": None, "lease_until": None, "waits_for": None}
    if connection.execute(unfinished.values(anew)).rowcount == 0:
        enqueue(connection, kind, target_id, team_id=team_id, at=at)


def look_up_now(connection: Connection, *, at: float) -> None:
    """Make the lookups that were rescheduled due at this time."""
    later = and_(jobs.c.kind == JobKind.LOOK_UP, jobs.c.run_at > at, jobs.c.lease_owner.is_(None))
    connection.execute(update(jobs).where(later).values(run_at=at))


def claim(
    connection: Connection,
    lease: Lease,
    kind: JobKind,
    turns: Turns,
    *,
    limit: int,
    waits_for: str | None = None,
) -> list[Job]:
    """Lease up to `limit` due jobs of a kind that are free: those that wait for no source, or those
    that wait for this one. The teams take turns, and the jobs count in `turns` from then on."""
    if limit < 1:
        return []
    which = {"this_kind": kind, "this_source": waits_for, "now": lease.now}
    teams = _TEAMS_WITH_CLAIMABLE.rows(connection, which)
    due = {team_id: run_at for team_id, run_at in teams if run_at is not None}
    leased = which | {"owner": lease.owner, "until": lease.until}
    claimed: list[Job] = []
    while (in_turn := turns.order(due)) and len(claimed) < limit:
        team_id, at_most = in_turn[0], 1
        if len(in_turn) == 1:
            at_most = min(turns.room(team_id), limit - len(claimed))
        of_team = leased | {"this_team": team_id, "at_most": at_most}
        rows = _CLAIM.rows(connection, of_team)
        claimed += [
            Job(kind=kind, target_id=target_id, team_id=team, attempts=attempts, slot_at=waits_for)
            for target_id, team, attempts in rows
        ]
        turns.take(team_id, len(rows))
        if len(rows) < at_most:
            del due[team_id]
    return claimed


def renew(connection: Connection, owner: str, held: Collection[Job], *, until: float) -> None:
    """Extend the leases of those jobs that `owner` still has."""
    keys = [(job.target_id, job.kind) for job in held]
    these = tuple_(jobs.c.target_id, jobs.c.kind).in_(keys) & (jobs.c.lease_owner == owner)
    connection.execute(update(jobs).where(these).values(lease_until=until))


def finish(connection: Connection, owner: str, done: Sequence[Job]) -> None:
    """Delete jobs that are done, unless another process has taken them over.

    A lookup whose request is not final stays: it is claimed again once its lease has ended.
    """
    _FINISH.change(connection, *(_mine(owner, job) for job in done))


def reschedule(connection: Connection, owner: str, job: Job, *, run_at: float) -> None:
    """Release a job, to be claimed again at `run_at`."""
    _RESCHEDULE.change(connection, _mine(owner, job) | {"next_run_at": run_at})


def wait_for(connection: Connection, owner: str, job: Job, source: str) -> None:
    """Release a lookup until this source has a free slot. It keeps its place in the queue, and the
    claim does not count as an attempt."""
    _WAIT_FOR.change(connection, _mine(owner, job) | {"this_source": source})


def has_waiting(connection: Connection, source: str) -> bool:
    """Whether a lookup waits for a slot at this source."""
    return _HAS_WAITING.first(connection, {"source": source}) is not None


def release_unlimited(connection: Connection, limited: Collection[str]) -> None:
    """Release the lookups that wait for a source which has no limit any more."""
    these = jobs.c.waits_for.is_not(None) & jobs.c.waits_for.not_in(limited)
    connection.execute(update(jobs).where(these).values(waits_for=None))


def release(connection: Connection, owner: str) -> None:
    """Release every job that `owner` has, as if it had not been claimed."""
    connection.execute(update(jobs).where(jobs.c.lease_owner == owner).values(_RELEASED))


def next_run_at(connection: Connection, *, after: float) -> float | None:
    """When the next job becomes claimable, by its time or the end of its lease; None: never."""
    [(at,)] = _NEXT_RUN_AT.rows(connection, {"after": after})
    return float(at) if at is not None else None


def waiting(connection: Connection) -> dict[str, int]:
    """The number of unfinished jobs by kind."""
    rows = connection.execute(select(jobs.c.kind, func.count()).group_by(jobs.c.kind))
    return {kind: count for kind, count in rows}  # noqa: C416 (typed as a row, not as a pair)


def oldest_run_at(connection: Connection) -> float | None:
    """The earliest time at which a job is due; None if there is no job."""
    return connection.execute(select(func.min(jobs.c.run_at))).scalar()


def _mine(owner: str, job: Job) -> dict[str, Any]:
    this = {"this_target": job.target_id, "this_kind": job.kind}
    return this | {"this_owner": owner, "this_claim": job.attempts}
