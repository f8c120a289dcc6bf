"""The ground truth of a world: it records what happened, with which the invariants compare what the
product has stored and answered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.simulation.people import CAP
from tests.simulation.plan import LISTED, PEOPLE, PROFILE, Asks, Event
from tests.support.invariants import ALWAYS, AT_THE_END, check
from tests.support.invariants.callbacks import callbacks_are_tried_three_times_at_most
from tests.support.invariants.credits import credits_are_conserved, no_balance_is_negative
from tests.support.invariants.evidence import (
    Budget,
    Cap,
    Evidence,
    Question,
    ReceivedCallback,
    Told,
    VendorAnswer,
)
from tests.support.invariants.jobs import a_job_has_one_worker
from tests.support.invariants.lookups import an_answer_is_waited_for

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.simulation.plan import Plan
    from tests.simulation.world import World

    Check = Callable[[Evidence], Iterator[str]]

AFTER_EACH_WRITE = (
    a_job_has_one_worker,
    credits_are_conserved,
    no_balance_is_negative,
    callbacks_are_tried_three_times_at_most,
)
ALL_EVERY = 10
"""All invariants of `ALWAYS` are checked at each tenth write: at each one they would take longer
than the world."""
SLOWEST_SECONDS = 60.0
"""Seconds that slow threads may need from the decision to give out an address until it is sent."""


class Truth:
    """The records of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._connect: Callable[[], sqlite3.Connection]
        self._writes = 0
        self.may_have_lost_a_post = False
        """Whether the answer to a POST may be lost, or its sender may have died, so far in the
        world."""
        self.is_calm = True
        """Whether no process has failed so far, and no clock."""
        self.leases: dict[tuple[str, str], str] = {}
        self.granted: Counter[int] = Counter()
        self.perhaps_granted: Counter[int] = Counter()
        self.payments: Counter[Question] = Counter()
        """Further payments that callers asked for by a refresh."""
        self.vendor_answers: list[VendorAnswer] = []
        self.told: list[Told] = []
        self.callbacks: list[ReceivedCallback] = []
        self.suppressed: dict[str, float] = {}
        self.erased: dict[str, float] = {}
        """People, and when their erasure was done, in virtual time."""
        self.revoked: set[str] = set()
        """API keys that the operator has revoked."""

    def suppress(self, profile: str, *, after: float = 0.0) -> None:
        """Record that nobody may be given an address of the person from now on, or `after` this
        many seconds."""
        if any(one.event is Event.SLOW_THREADS for one in self._world.plan.happenings):
            after = max(after, SLOWEST_SECONDS)
        self.suppressed.setdefault(profile, self._world.wall_time() + after)

    def open(self, connect: Callable[[Path], sqlite3.Connection]) -> None:
        """Open the service's database, to check it."""
        self._connect = lambda: connect(self._world.database)
        self._connection = self._connect()

    def reopen(self) -> None:
        """Open it again after a power cut."""
        self._connection = self._connect()

    def close(self) -> None:
        self._connection.close()

    def after_write(self) -> None:
        """Raise `Violated` if a promise does not hold now."""
        self._writes += 1
        now = AFTER_EACH_WRITE if self._writes % ALL_EVERY else ALWAYS
        check(self._evidence(), self._visible(now))

    def at_the_end(self) -> None:
        """Raise `Violated` if a promise does not hold at the end."""
        check(self._evidence(), self._visible((*AT_THE_END, the_suppressed_are_listed)))

    def _visible(self, checks: Sequence[Check]) -> Sequence[Check]:
        """Those that can be told from the stored times: after a clock has jumped, these do not say
        whether an answer came before the end of its request."""
        jumped = bool(self._world.clocks)
        return [one for one in checks if not (jumped and one is an_answer_is_waited_for)]

    def is_open(self) -> bool:
        """Whether a request is not final, or a job is left."""
        query = "SELECT 1 FROM requests WHERE completed_at IS NULL UNION ALL SELECT 1 FROM jobs"
        return bool(self._rows(query))

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()

    def _evidence(self) -> Evidence:
        world, plan = self._world, self._world.plan
        return Evidence(
            rows=self._rows,
            granted={team: plan.credits + self.granted[team] for team in world.teams},
            perhaps_granted=self.perhaps_granted,
            vendor_answers=self.vendor_answers,
            addresses=world.addresses,
            payments_meant=self._payments_meant(),
            told=self.told,
            callbacks=self.callbacks,
            suppressed=self.suppressed,
            erased=self.erased,
            files=self._files,
            budgets=list(self._budgets()),
            is_calm=self.is_calm,
            leases=self.leases,
            caps=list(self._caps()),
        )

    def _payments_meant(self) -> dict[Question, int]:
        """How often each question may be paid for: once for each state file and each script, and
        once for each refresh."""
        plan, world, meant = self._world.plan, self._world, Counter(self.payments)
        files = set()
        for asked in plan.questions:
            for person in asked.people:
                team = world.team_of(asked.face)
                question = Question(team, PROFILE + person, asked.type)
                if asked.how is Asks.SCRIPT:
                    meant[question] += 1
                elif question not in files:
                    files.add(question)
                    meant[question] += 1
        return dict(meant)

    def _budgets(self) -> Iterator[Budget]:
        plan, world = self._world.plan, self._world
        for team in world.teams:
            mine = [q for q in plan.questions if world.team_of(q.face) == team]
            if mine and not any(q.how is Asks.SCRIPT for q in mine):
                yield Budget(team_id=team, daily=plan.daily_budget, reserve=plan.reserve)

    def _caps(self) -> Iterator[Cap]:
        for question in self._world.plan.questions:
            if question.how is Asks.LIST:
                yield Cap(
                    team_id=self._world.team_of(question.face),
                    profiles=[PROFILE + person for person in question.people],
                    max_credits=CAP,
                )

    def _files(self) -> Iterator[tuple[str, bytes]]:
        for file in sorted(self._world.folder.rglob("*")):
            if file.is_file():
                yield file.name, file.read_bytes()


def the_suppressed_are_listed(evidence: Evidence) -> Iterator[str]:
    """Nobody asks about the erased any more in a world: the list shows that they are suppressed."""
    [(listed,)] = evidence.rows("SELECT count(*) FROM suppressions WHERE kind = 'profile'")
    if listed < len(evidence.suppressed):
        yield f"{len(evidence.suppressed)} profiles are suppressed, and {listed} are listed"


def addresses(plan: Plan) -> dict[str, set[str]]:
    """The addresses of each person, by profile, that any source of the world may give."""
    return {
        PROFILE + person: {
            f"{person}.{kind}@{source}.example"
            for kind in ("work", "personal")
            for source in ("contacts", *plan.vendors)
        }
        for person in (*PEOPLE, *LISTED)
    }
