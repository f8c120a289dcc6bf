"""The time of a commit, by what becomes of SQLite's journal: in turn, of two rows in two tables.

The state file uses `PERSIST`. A folder may be given for the files.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import uuid4

MODES = ("DELETE", "TRUNCATE", "PERSIST", "WAL")
COMMITS = 300
TABLES = (
    "CREATE TABLE requests (id TEXT PRIMARY KEY, enrichment_id TEXT, at REAL)",
    "CREATE INDEX by_enrichment_id ON requests (enrichment_id)",
    "CREATE TABLE spending (id TEXT PRIMARY KEY, account TEXT, at REAL)",
)


def main() -> None:
    """Print the median of each kind, and the time that a twentieth of them needs at most."""
    taken: dict[str, list[float]] = {mode: [] for mode in MODES}
    with (
        tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as folder,
        ExitStack() as stack,
    ):
        files = {m: stack.enter_context(closing(opened(Path(folder, m), m))) for m in MODES}
        for _ in range(COMMITS):
            for mode, db in files.items():
                taken[mode].append(seconds_to_commit(db))
    for mode, times in taken.items():
        p5 = sorted(times)[COMMITS // 20]
        print(f"{mode:8} p50 {statistics.median(times) * 1000:.2f} ms, p5 {p5 * 1000:.2f} ms")


def opened(path: Path, mode: str) -> sqlite3.Connection:
    """A new file with this kind of journal."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in (f"PRAGMA journal_mode = {mode}", "PRAGMA synchronous = FULL", *TABLES):
        db.execute(statement)
    return db


def seconds_to_commit(db: sqlite3.Connection) -> float:
    """Insert the rows; the seconds that this took with its commit."""
    began = time.perf_counter()
    db.execute("BEGIN IMMEDIATE")
    for table in ("requests", "spending"):
        db.execute(f"INSERT INTO {table} VALUES (?, ?, 0)", (uuid4().hex, uuid4().hex))  # noqa: S608
    db.execute("COMMIT")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
