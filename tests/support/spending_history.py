"""A stored history of lookups at contacts, two vendors and inference, for `sources report`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from mcp_enrichment.service.db.sqlite import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {
    "SOURCES": "contacts,wiza,prospeo,inferred",
    "WIZA_API_KEY": "sk-1",
    "PROSPEO_API_KEY": "sk-2",
}
PRICES = {"PRICES": "wiza=0.05,prospeo=0.02", "CURRENCY": "EUR"}
REQUESTS = """
INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at, completed_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
    SELECT i, 1, i, 'work', 'not-found', 0, 1 FROM n
"""
CALLS = """
INSERT INTO source_calls (request_id, source, state, verification, claim_token, cost, attempts,
    requested_at, answered_at) SELECT id, ?, ?, ?, '', ?, 1, 0, ? FROM requests
    WHERE CAST(id AS INTEGER) BETWEEN ? AND ?
"""
HISTORY = (
    ("contacts", "hit", "own-data", 0, 0.01, 1, 100),
    ("contacts", "miss", None, 0, 0.01, 101, 400),
    ("wiza", "hit", "verified", 3, 12.5, 101, 220),
    ("wiza", "miss", None, 1, 14.5, 221, 396),
    ("wiza", "lost", None, 0, 60, 397, 398),
    ("wiza", "requested", None, 0, None, 399, 399),
    ("prospeo", "hit", "verified", 1, 0.75, 221, 290),
    ("prospeo", "hit", "unverified", 1, 0.75, 291, 300),
    ("prospeo", "rejected", "verified", 1, 0.75, 301, 301),
    ("prospeo", "miss", None, 0, 0.75, 302, 398),
    ("inferred", "miss", None, 0, 0.01, 291, 398),
)
"""The source, the state, the verification, the cost, the seconds, and the first and the last of the
requests."""


def store_history(file: Path) -> None:
    """Create the database with this history."""
    open_sqlite(file).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        team = "INSERT INTO teams (id, name, available, held, created_at) VALUES (1, 'x', 0, 0, 0)"
        connection.execute(team)
        connection.execute(REQUESTS)
        connection.executemany(CALLS, HISTORY)
