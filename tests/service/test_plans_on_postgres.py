"""The cost of one lookup does not grow with the backlog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from mcp_enrichment.contract.models import Reason, Status
from mcp_enrichment.service.db.postgres import open_postgres
from mcp_enrichment.service.lookup import source_call_table
from mcp_enrichment.service.queue.procrastinate_queue import FETCH
from mcp_enrichment.service.requests import request_table
from tests.support.databases import change
from tests.support.sql_statements import statements

if TYPE_CHECKING:
    from sqlalchemy import Connection

QUIET_HOUR = """
INSERT INTO teams (id, name, available, held, created_at) VALUES (1, 'lumen', 9, 9, 0);
INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at, completed_at)
    SELECT 'done' || n, 1, 'https://www.linkedin.com/in/done-' || n, 'work', 'not-found', 0, 1
    FROM generate_series(1, 1000) n;
ANALYZE requests
"""
ONE = "this"


def test_a_lookup_finds_its_request_by_its_id_also_after_a_quiet_hour(url: str) -> None:
    """From an hour without requests Postgres expects next to none in the index of running ones."""
    change(url, QUIET_HOUR)
    database = open_postgres(url)
    plans = [*database.write_now(_plans_of_a_lookup), _plan_of_a_fetch(url)]
    database.close()
    assert len(plans) == 5
    assert [plan for plan in plans if "requests_pkey" not in plan or "running" in plan] == []


def _plans_of_a_lookup(connection: Connection) -> list[str]:
    with statements(connection) as said:
        request_table.start(connection, [ONE])
        request_table.running(connection, [ONE])
        source_call_table.lock_if_running(connection, ONE)
        request_table.complete(connection, ONE, Status.NOT_FOUND, at=0, reason=Reason.ERASED)
    return [_plan(connection.exec_driver_sql(f"EXPLAIN {text}", values)) for text, values in said]


def _plan_of_a_fetch(url: str) -> str:
    with psycopg.connect(url) as connection:
        options = {"queue": "look-up", "worker_id": 1, "limit": 10}
        return _plan(connection.execute(f"EXPLAIN {FETCH}", options))


def _plan(explained: Any) -> str:
    return "\n".join(step for (step,) in explained.fetchall())
