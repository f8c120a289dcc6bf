"""On Postgres too, no credit is lost, taken twice or owed: the machine of `test_ledger_machine`
with jobs of procrastinate, which are requeued when a worker dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from mcp_enrichment.service.queue import procrastinate_queue
from mcp_enrichment.service.queue.job import Job, JobKind
from mcp_enrichment.service.queue.procrastinate_queue import FETCH
from tests.service.test_ledger_machine import FULLY, LEASE, Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.databases import Place
    from tests.support.postgres import Server


class LedgerOnPostgres(Ledger):
    """The same machine with procrastinate's queue; its SQL functions stand for the workers."""

    def __init__(self, server: Server, template: str) -> None:
        super().__init__()
        self._server, self._template = server, template
        self._held: dict[tuple[str, str], int] = {}

    def somewhere(self) -> Place:
        return self._server.fresh(self._template)

    def leave(self) -> None:
        self._server.drop(str(self.place))

    def take(self, owner: str, limit: int) -> Sequence[Job]:
        taken = []
        with psycopg.connect(str(self.place)) as connection:
            registered = connection.execute("SELECT procrastinate_register_worker_v1()")
            worker = registered.fetchall()[0][0]
            taking = {"queue": "look-up", "worker_id": worker, "limit": limit}
            for found in connection.execute(FETCH, taking):
                job = Job(kind=JobKind.LOOK_UP, **_job_of(found))
                self._held[owner, job.target_id] = found[0]
                taken.append(job)
        return taken

    def finish(self, owner: str, job: Job) -> None:
        self._end(owner, job, "procrastinate_finish_job_v1(id, 'succeeded', true)")

    def put_off(self, owner: str, job: Job, _seconds: float) -> None:
        self._end(owner, job, "procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)")

    def leases_end(self) -> None:
        with psycopg.connect(str(self.place)) as connection:
            connection.execute("UPDATE procrastinate_workers SET last_heartbeat = 'epoch'")
        self.database.write_now(
            lambda c: procrastinate_queue.requeue_jobs_of_dead_workers(c, silent=LEASE)
        )

    def _end(self, owner: str, job: Job, how: str) -> None:
        # A job that was requeued and has ended elsewhere cannot be ended again.
        this = self._held.get((owner, job.target_id), 0)
        with psycopg.connect(str(self.place)) as connection:
            mine = f"SELECT {how} FROM procrastinate_jobs WHERE id = %s AND status = 'doing'"  # noqa: S608
            connection.execute(mine, (this,))


def _job_of(found: Sequence[Any]) -> dict[str, Any]:
    arguments, attempts = found[6], found[9]
    whose = {name: arguments[name] for name in ("target_id", "team_id")}
    return whose | {"attempts": attempts + 1}


@pytest.mark.long
def test_over_postgres_too_no_credit_is_lost_taken_twice_or_owed(
    server: Server, template: str
) -> None:
    few = settings(FULLY, max_examples=6)
    run_state_machine_as_test(lambda: LedgerOnPostgres(server, template), settings=few)
