"""A job, its rescheduling by its handler, and the interface of the two queues."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mcp_enrichment.contract.models import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.requests.request_table import Request

    DeleteDone: TypeAlias = Callable[[Connection, Sequence["Job"]], None]


CONCURRENCY = 16
"""Jobs of each kind that one process runs at once. The kinds are counted apart, so that callbacks
that hang delay no lookup."""
DELIVERIES_PER_TEAM = 4
"""Callbacks of one team that run at once, so that receivers that hang delay no other team's
callbacks."""
_DOUBLINGS = 10  # a power of a large number does not fit a float


class JobKind(StrEnum):
    """The two kinds of jobs. Both are idempotent and keyed by their target."""

    LOOK_UP = "look-up"
    DELIVER = "deliver"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A claimed job. `attempts` counts this claim too."""

    kind: JobKind
    target_id: str
    """The request of a lookup, the callback of a delivery."""
    team_id: int
    attempts: int = 1
    slot_at: str | None = field(default=None, compare=False)
    """The source at which a lookup got its slot with the claim."""
    engine_id: int | None = field(default=None, compare=False)
    """The id of the job in procrastinate."""
    delete_done: DeleteDone | None = field(default=None, compare=False, repr=False)
    """Deletes jobs of this engine, in the transaction that completes their work."""
    begun: Any = field(default=None, compare=False, repr=False)
    """The row that its handler needs, if the transaction of the claim has read it already; else
    None."""


def delete_done(connection: Connection, done: Sequence[Job]) -> None:
    """Delete completed jobs, each in the way of its engine."""
    by_engine: defaultdict[DeleteDone | None, list[Job]] = defaultdict(list)
    for job in done:
        by_engine[job.delete_done].append(job)
    for delete, jobs in by_engine.items():
        if delete:
            delete(connection, jobs)


class NewLookup(Protocol):
    """The lookup of a request that is being accepted, and where it is to run."""

    @property
    def status(self) -> Status:
        """The status of the new request."""

    def enqueue(self, connection: Connection, request: Request) -> None:
        """Add its job, in the transaction that stores the request."""

    def begin(self) -> None:
        """Called once that is committed."""

    def withdraw(self) -> None:
        """Called instead if no request was stored."""


@dataclass(frozen=True, slots=True)
class QueuedLookup:
    """A lookup that any process with room may claim."""

    queue: Queue
    wake: Callable[[], None]
    status = Status.PENDING

    def enqueue(self, connection: Connection, request: Request) -> None:
        self.queue.enqueue(
            connection,
            JobKind.LOOK_UP,
            request.id,
            team_id=request.team_id,
            at=request.created_at,
        )

    def begin(self) -> None:
        self.wake()

    def withdraw(self) -> None:
        """Nothing was reserved for it."""


@dataclass(frozen=True, slots=True)
class Reschedule:
    """The job is not done: run it again in so many seconds."""

    seconds: float
    waits_for: str | None = None
    """The source that is at capacity. The job runs once the source has a free slot, and this run
    does not count as an attempt."""


def exponential_backoff(first: float, failures: int, longest: float = math.inf) -> float:
    """Exponential backoff: the seconds to wait after so many failures, the first of which is 1."""
    return min(first * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS), longest)


class Queue(Protocol):
    """A queue in the database: the module `sqlite_queue` or `procrastinate_queue`."""

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
        """Add a job, due `delay` seconds after `at`, in the transaction that makes it necessary."""

    def enqueue_again(
        self, connection: Connection, kind: JobKind, target_id: str, *, team_id: int, at: float
    ) -> None:
        """Add a job that is due at once, in place of an unfinished one."""

    def look_up_now(self, connection: Connection, *, at: float) -> None:
        """Make the lookups that were rescheduled due at this time."""

    def has_waiting(self, connection: Connection, source: str) -> bool:
        """Whether a lookup waits for a slot at this source."""
