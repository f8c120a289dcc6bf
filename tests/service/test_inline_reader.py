"""A few rows are read on the event loop, which never waits: what cannot be read at once is read by
a thread."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.service.accounts.teams import embedded_team, id_of
from mcp_enrichment.service.db.sqlite import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

pytestmark = pytest.mark.anyio
ADD = "INSERT INTO teams (name, created_at, available, held) VALUES (?, 0, 0, 0)"
NAMES = "SELECT name FROM teams"


async def test_a_writer_does_not_delay_a_read_on_the_event_loop(path: Path) -> None:
    database = open_sqlite(path)
    with closing(sqlite3.connect(path)) as another:
        another.execute("BEGIN EXCLUSIVE")
        assert await database.read_few(lambda _c: threading.current_thread()) == _loops()
    database.close()


async def test_a_read_that_would_wait_is_repeated_by_a_thread(path: Path) -> None:
    database = open_sqlite(path)
    read_by: list[threading.Thread] = []

    def work(connection: Connection) -> int:
        read_by.append(threading.current_thread())
        if read_by[-1] is _loops():
            raise sqlite3.OperationalError("database is locked")
        return int(connection.exec_driver_sql("SELECT 1").scalar_one())

    assert await database.read_few(work) == 1
    assert [thread is _loops() for thread in read_by] == [True, False]
    database.close()


async def test_each_statement_of_such_a_read_sees_every_commit_before_it(path: Path) -> None:
    database = open_sqlite(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as another:

        def work(connection: Connection) -> list[int]:
            counts = []
            for name in "ab":
                another.execute(ADD, (name,))
                counts.append(_count(connection))
            return counts

        assert await database.read_few(work) == [1, 2]
        unread = await database.read_few(lambda c: c.exec_driver_sql(NAMES))
        another.execute(ADD, ("c",))
        assert await database.read_few(_count) == 3
        unread.close()
    database.close()


async def test_every_read_is_of_the_file_that_is_written_also_if_the_path_has_another(
    path: Path,
) -> None:
    database = open_sqlite(path)
    path.parent.rename(path.parent.with_name("moved"))
    open_sqlite(path).close()
    team_id = await database.write(lambda c: embedded_team(c, at=0))
    for read in (database.read, database.read_few):
        assert await read(lambda c: id_of(c, DEFAULT_TEAM)) == team_id
    database.close()


def _count(connection: Connection) -> int:
    return len(connection.exec_driver_sql(NAMES).all())


def _loops() -> threading.Thread:
    return threading.main_thread()
