"""Databases with many stored requests, and the rate of plain sqlite3 on one."""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from bench.load import Run
from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.db.sqlite import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path

CREDITS = 10_000_000
ANSWERED = "f" * 24
"""The id of a stored request with an email."""

_numbers = itertools.count()


def prepare(home: Path, size: int) -> str:
    """A database with this many completed requests and their ledger; return a key of its team.

    They were completed now, so that no service deletes them as expired.
    """
    now = time.time()
    database = open_sqlite(home / "enrichment.db")
    team = database.write_now(lambda c: teams.add(c, "bench", CREDITS, at=now))
    key = database.write_now(lambda c: api_keys.create(c, "bench", at=now)).key
    database.close()
    with closing(sqlite3.connect(home / "enrichment.db")) as db, db:
        url = "https://www.linkedin.com/in/old-example-"
        rows = (
            (f"{n:024x}", team, f"{url}{n}", "work", "not-found", now, now) for n in range(size)
        )
        db.executemany(
            "INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at,"
            " completed_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        for kind in ("hold", "release"):
            db.execute(
                "INSERT INTO ledger (team_id, request_id, kind, amount, available_after, at)"
                " SELECT team_id, id, ?, 1, 0, 0.0 FROM requests",
                (kind,),
            )
        db.execute(
            "INSERT INTO requests (id, team_id, linkedin_url, type, status, email, source,"
            " verification, checked_at, created_at, completed_at)"
            " VALUES (?1, ?2, ?3, 'work', 'completed', 'pat@example.com', 'contacts', 'own-data',"
            " ?4, ?4, ?4)",
            (ANSWERED, team, f"{url}answered", now),
        )
    return key


def plain_sqlite(database: Path, seconds: float) -> Run:
    """Transactions with the statements that a POST needs, by Python's own module, one by one."""
    taken: list[float] = []
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=FULL")
        first = time.perf_counter()
        while time.perf_counter() - first < seconds:
            began = time.perf_counter()
            _post(db, os.urandom(12).hex())
            taken.append(time.perf_counter() - began)
        return Run(taken, time.perf_counter() - first)


def _post(db: sqlite3.Connection, name: str) -> None:
    url = f"https://www.linkedin.com/in/p-{next(_numbers)}"
    db.execute("BEGIN IMMEDIATE")
    db.execute(
        "SELECT * FROM requests WHERE team_id = 1 AND linkedin_url = ? AND type = 'work'"
        " AND status IN ('pending', 'processing')",
        (url,),
    ).fetchall()
    db.execute(
        "INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at)"
        " VALUES (?, 1, ?, 'work', 'pending', 0.0)",
        (name, url),
    )
    db.execute("UPDATE teams SET available = available - 1, held = held + 1 WHERE id = 1")
    db.execute(
        "INSERT INTO ledger (team_id, request_id, kind, amount, available_after, at)"
        " VALUES (1, ?, 'hold', 1, 0, 0.0)",
        (name,),
    )
    db.execute(
        "INSERT INTO jobs (target_id, kind, team_id, run_at, attempts)"
        " VALUES (?, 'look-up', 1, 0.0, 0)",
        (name,),
    )
    db.execute("COMMIT")
