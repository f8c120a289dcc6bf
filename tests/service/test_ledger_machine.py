"""In any order of events, no credit is lost, taken twice or owed. A state machine runs the real
domain over a real database."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from mcp_enrichment.contract.errors import (
    IdempotencyConflict,
    InsufficientCredits,
    InvalidArguments,
    StorageFailed,
)
from mcp_enrichment.contract.models import EmailType, EnrichmentRequest, Verification
from mcp_enrichment.service.accounts import teams
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.lookup import lookup_job
from mcp_enrichment.service.queue import sqlite_queue
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from mcp_enrichment.service.requests import submission
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
from mcp_enrichment.service.sources.base import Hit, Misconfigured, Miss, Outcome, Unavailable
from tests.support.databases import open_place, rows
from tests.support.full_disk import FullDiskDatabase
from tests.support.running_service import Clock, FixedSource, ledger_is_exact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.databases import Place

TEAMS = ("ours", "theirs")
OUTCOMES: list[Outcome] = [
    Hit(email="ada@example.com"),
    Hit(email="ada@example.com", verification=Verification.INFERRED),
    Miss(),
    Misconfigured(),
    Unavailable(retry_after=1),
]
LEASE = 30.0


class Crashed(Exception):
    """The process ends here."""


class Ledger(RuleBasedStateMachine):
    """Requests, outcomes, crashes, repeats, grants and corrections."""

    claimed: Bundle[tuple[str, Job]] = Bundle("claimed")
    """Jobs that a worker works on, or has worked on, with the owner of their lease."""

    @initialize(ours=st.integers(0, 4), theirs=st.integers(0, 4))
    def begin(self, ours: int, theirs: int) -> None:
        self.place = self.somewhere()
        self.clock = Clock()
        self.owners = 0
        self.database = open_place(self.place)
        given = zip(TEAMS, (ours, theirs), strict=True)
        self.ids = {
            name: self.database.write_now(lambda c, n=name, a=amount: teams.add(c, n, a, at=0))
            for name, amount in given
        }

    @rule(
        team=st.sampled_from(TEAMS),
        profile=st.sampled_from("abc"),
        kind=st.sampled_from(EmailType),
        key=st.none() | st.sampled_from(["k1", "k2"]),
    )
    def request(self, team: str, profile: str, kind: EmailType, key: str | None) -> None:
        asked = EnrichmentRequest(linkedin_url=f"https://linkedin.com/in/some-{profile}", type=kind)
        before = self.figures(team)

        async def accept() -> None:
            await submission.accept(self.service(), self.ids[team], asked, idempotency_key=key)

        try:
            anyio.run(accept)
        except InsufficientCredits:
            assert before[0] == 0, "refused although there was a credit"
        except IdempotencyConflict:
            assert key is not None
            assert self.figures(team) == before

    @rule(target=claimed, limit=st.integers(1, 3))
    def claim(self, limit: int) -> Any:
        """Another process claims jobs, also those whose lease has ended."""
        self.owners += 1
        owner = f"process {self.owners}"
        taken = self.take(owner, limit)
        return multiple(*((owner, job) for job in taken))

    @rule(held=claimed, outcome=st.sampled_from(OUTCOMES))
    def work(self, held: tuple[str, Job], outcome: Outcome) -> None:
        """A job runs to its end: now, late, or once more after it has ended."""
        owner, job = held
        again = self.run(job, outcome)
        if again is None:
            self.finish(owner, job)
        else:
            self.put_off(owner, job, again.seconds)

    @rule(held=claimed)
    def give_up(self, held: tuple[str, Job]) -> None:
        async def end() -> None:
            await lookup_job.give_up(self.service(), held[1])

        anyio.run(end)

    @rule(held=consumes(claimed), outcome=st.sampled_from(OUTCOMES), late=st.booleans())
    def crash_in_mid_job(self, held: tuple[str, Job], outcome: Outcome, late: bool) -> None:
        """The process dies during the lookup, or between saving the outcome and finishing the
        job."""
        try:
            self.run(held[1], outcome if late else Crashed())
        except Crashed:
            assert not late
        self.reopen()

    @rule(team=st.sampled_from(TEAMS), at=st.integers(1, 4))
    def crash_in_mid_transaction(self, team: str, at: int) -> None:
        """The disk fails within a POST, after this many statements."""
        before = self.figures(team)
        asked = EnrichmentRequest(linkedin_url="https://linkedin.com/in/some-d", type="work")

        async def accept() -> None:
            service = self.service(FullDiskDatabase(self.database, at))
            await submission.accept(service, self.ids[team], asked)

        with pytest.raises((StorageFailed, InsufficientCredits)):
            anyio.run(accept)
        assert self.figures(team) == before

    @rule()
    def reopen(self) -> None:
        self.database.close()
        self.database = open_place(self.place)

    @rule(seconds=st.sampled_from([1.0, LEASE + 1, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds
        if seconds > LEASE:
            self.leases_end()

    @rule(team=st.sampled_from(TEAMS), amount=st.integers(1, 3))
    def grant(self, team: str, amount: int) -> None:
        before = self.figures(team)
        team_id = self.ids[team]
        after = self.database.write_now(lambda c: ledger.grant(c, team_id, amount, at=1))
        assert after.available == before[0] + amount

    @rule(team=st.sampled_from(TEAMS), amount=st.integers(-3, 3).filter(bool))
    def correct(self, team: str, amount: int) -> None:
        before, team_id = self.figures(team), self.ids[team]
        try:
            self.database.write_now(
                lambda c: ledger.correct(c, team_id, amount, at=1, reason="drawn")
            )
        except InvalidArguments:
            assert before[0] + amount < 0
            assert self.figures(team) == before

    @invariant()
    def the_balance_is_what_the_entries_say(self) -> None:
        entries = "FROM ledger WHERE team_id = ?"
        for team in TEAMS:
            available, held = self.figures(team)
            sums: Counter[str] = Counter()
            for kind, amount in rows(self.place, f"SELECT kind, amount {entries}", self.ids[team]):
                sums[kind] += amount
            still_held = sums["hold"] - sums["settle"] - sums["release"]
            assert held == still_held >= 0
            assert available == sums["grant"] + sums["correct"] - sums["settle"] - held >= 0
            newest = f"SELECT available_after {entries} ORDER BY id DESC LIMIT 1"
            assert rows(self.place, newest, self.ids[team]) in ([(available,)], [])

    @invariant()
    def each_request_is_paid_once_at_most_and_lost_never(self) -> None:
        ledger_is_exact(self.place)
        lost = """
            SELECT id FROM requests WHERE status IN ('pending', 'processing')
            AND id NOT IN (SELECT target_id FROM jobs WHERE kind = 'look-up')"""
        assert rows(self.place, lost) == []

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.leave()

    def somewhere(self) -> Place:
        self.folder = tempfile.TemporaryDirectory()
        return Path(self.folder.name) / "enrichment.db"

    def leave(self) -> None:
        self.folder.cleanup()

    def take(self, owner: str, limit: int) -> Sequence[Job]:
        now = self.clock()
        lease = sqlite_queue.Lease(owner=owner, now=now, until=now + LEASE)
        turns = sqlite_queue.Turns(limit)
        return self.database.write_now(
            lambda c: sqlite_queue.claim(c, lease, JobKind.LOOK_UP, turns, limit=limit)
        )

    def finish(self, owner: str, job: Job) -> None:
        self.database.write_now(lambda c: sqlite_queue.finish(c, owner, [job]))

    def put_off(self, owner: str, job: Job, seconds: float) -> None:
        run_at = self.clock() + seconds
        self.database.write_now(lambda c: sqlite_queue.reschedule(c, owner, job, run_at=run_at))

    def leases_end(self) -> None:
        """Nothing to do: leases end by the clock alone."""

    def run(self, job: Job, outcome: Outcome | Exception) -> Reschedule | None:
        async def look_up() -> Reschedule | None:
            return await lookup_job.look_up(self.service(says=outcome), job)

        return anyio.run(look_up)

    def figures(self, team: str) -> tuple[int, int]:
        query = "SELECT available, held FROM teams WHERE id = ?"
        [(available, held)] = rows(self.place, query, self.ids[team])
        return available, held

    def service(
        self, database: Any = None, *, says: Outcome | Exception = OUTCOMES[1]
    ) -> ServiceContext:
        used, policy = database or self.database, CallbackURLPolicy()
        return ServiceContext(
            database=used,
            sources=[FixedSource(says)],
            sender=CallbackSender(policy),
            callback_policy=policy,
            completion_waiter=CompletionWaiter(used),
            clock=self.clock,
        )


FULLY = settings(
    max_examples=30,
    stateful_step_count=30,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
TestLedger = Ledger.TestCase
TestLedger.settings = FULLY
