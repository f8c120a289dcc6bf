"""If several processes share the work, or one is killed, a vendor is paid once for a request."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.lookup import vendor_calls
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind, Reschedule
from mcp_enrichment.service.sources.base import Terms
from tests.support.databases import open_place
from tests.support.forks import popen
from tests.support.fresh_copy import ROOT
from tests.support.running_service import (
    HIT,
    MISS,
    Clock,
    ledger_is_exact,
    rows,
    running_service,
    until,
)
from tests.support.scripted_vendors import scripted_vendor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
ENDED = "SELECT status, email, source, verification FROM requests WHERE completed_at IS NOT NULL"


class Gate:
    """A source that answers when the test lets it."""

    name = "gate"

    def __init__(self, answer: Outcome) -> None:
        self.questions, self.may_answer, self.asked = 0, anyio.Event(), anyio.Event()
        self._answer = answer

    async def find(self, *_: object) -> Outcome:
        self.questions += 1
        self.asked.set()
        await self.may_answer.wait()
        return self._answer


class PaidGate(Gate):
    """The same, as a vendor that is paid."""

    terms, email_types = Terms(hit=1), frozenset(EmailType)


@contextmanager
def living(place: Place, ledger: Path, *, hangs: str, ahead: float = 0) -> Iterator[None]:
    """A process that runs jobs; killed at the end of the block."""
    program = [sys.executable, "-m", "tests.support.paid_vendors_service"]
    program += [str(place), str(ledger), hangs, str(ahead)]
    with popen(program, cwd=ROOT) as process:
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("hangs", "end"),
    [
        ("first", ("completed", "sure@example.com", "second", "verified")),
        ("second", ("completed", "maybe@example.com", "first", "unverified")),
    ],
)
async def test_a_process_that_is_killed_while_a_vendor_answers_loses_that_answer_alone(
    place: Place, tmp_path: Path, hangs: str, end: tuple[str, ...]
) -> None:
    ledger = tmp_path / "paid"
    ledger.touch()
    async with running_service(place, jobs=False) as it:
        await it.accepted()
    with living(place, ledger, hangs=hangs):
        await until(lambda: hangs in ledger.read_text())
    with living(place, ledger, hangs="nobody", ahead=vendor_calls.ABANDONED_SECONDS):
        await until(lambda: rows(place, ENDED) == [end])
    assert sorted(ledger.read_text().split()) == ["first", "second"]
    ledger_is_exact(place)


async def test_two_processes_on_one_request_ask_a_vendor_once(place: Place) -> None:
    """The first process was taken for dead and continues."""
    gate = PaidGate(HIT)
    other = open_place(place)
    async with running_service(place, gate, jobs=False) as it, anyio.create_task_group() as tasks:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        tasks.start_soon(look_up, it.service, job)
        await gate.asked.wait()
        assert await look_up(replace(it.service, database=other), job) == Reschedule(5.0)
        gate.may_answer.set()
        await until(lambda: len(rows(place, ENDED)) == 1)
        assert await look_up(replace(it.service, database=other), job) is None
    other.close()
    assert gate.questions == 1
    ledger_is_exact(place)


async def test_nothing_is_paid_for_a_request_that_another_process_has_ended(place: Place) -> None:
    gate, spared, ends = (
        Gate(MISS),
        scripted_vendor(HIT, name="spared"),
        scripted_vendor(HIT, name="ends"),
    )
    other = open_place(place)
    async with running_service(place, gate, jobs=False) as it, anyio.create_task_group() as tasks:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        tasks.start_soon(look_up, replace(it.service, sources=[gate, spared]), job)
        await gate.asked.wait()
        assert await look_up(replace(it.service, sources=[ends], database=other), job) is None
        gate.may_answer.set()
    other.close()
    assert (len(ends.asked), len(spared.asked)) == (1, 0)
    ledger_is_exact(place)


async def test_a_process_that_stops_keeps_an_answer_that_has_come(place: Place) -> None:
    """It receives SIGTERM in the moment in which the answer arrives."""
    stop = anyio.CancelScope()
    vendor = scripted_vendor(HIT)

    def at_the_answer() -> None:
        if vendor.asked:
            stop.cancel()

    vendor.interrupt = at_the_answer
    clock = Clock()
    async with running_service(place, vendor, jobs=False, clock=clock) as it:
        job = Job(kind=JobKind.LOOK_UP, target_id=await it.accepted(), team_id=it.team_id)
        with stop:
            await look_up(it.service, job)
        assert it.rows("SELECT state FROM source_calls") == [("hit",)]
        assert await look_up(it.service, job) is None
    assert len(vendor.asked) == 1
