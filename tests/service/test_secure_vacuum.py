"""After an erasure no file of the database has the person's data; if one may, a warning says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db.postgres import migrate_postgres
from mcp_enrichment.service.privacy import secure_vacuum, subject_requests
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from tests.support.databases import open_place
from tests.support.exports import ADA_READ
from tests.support.running_service import ADAS
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_enrichment.service.db.database import Database
    from tests.support.databases import Place
    from tests.support.postgres import Server

ZELDA = replace(
    ADA_READ,
    profile="https://www.linkedin.com/in/zelda-zyxwv",
    email="zelda.zyxwv@example.com",
    first_name="Zelda",
    last_name="Zyxwv",
)
OTHERS = [
    replace(ADA_READ, profile=f"{ADA_READ.profile}-{n}", email=f"other-{n}@example.com")
    for n in range(400)
]
SUBJECT = NamedSubject(profile=ZELDA.profile)


@pytest.fixture
def owned(server: Server, empty_url: str) -> Iterator[str]:
    """The URL of a migrated database for a role that owns it, and has no other privilege."""
    name = empty_url.rpartition("/")[2]
    role = f"role_of_{name}"
    server.execute(f"CREATE ROLE {role} LOGIN")
    server.execute(f"ALTER DATABASE {name} OWNER TO {role}")
    url = empty_url.replace("enrichment@", f"{role}@")
    migrate_postgres(url)
    yield url
    server.drop(empty_url)
    server.execute(f"DROP ROLE {role}")


def with_contacts(place: Place) -> Database:
    database = open_place(place)
    import_contacts(database, [*OTHERS[:200], ZELDA, *OTHERS[200:]], source="linkedin")
    return database


def files_of(server: Server) -> list[str]:
    """The files of the server that contain her name, except its write-ahead log."""
    server.execute("CHECKPOINT")
    files = [file for file in server.folder.rglob("*") if file.is_file()]
    told = [file for file in files if b"zyxwv" in file.read_bytes().lower()]
    return [str(file) for file in told if "pg_wal" not in file.parts]


def test_rows_deleted_before_leave_nothing_in_a_sqlite_file(path: Path) -> None:
    database = with_contacts(path)
    with closing(sqlite3.connect(path)) as careless:
        careless.execute("PRAGMA secure_delete=OFF")
        careless.execute(
            "UPDATE contact_emails SET email = 'ada@example.com' WHERE linkedin_url LIKE '%1'"
        )
        careless.execute("DELETE FROM contact_emails WHERE email = 'ada@example.com'")
        careless.commit()
    files = [path, path.with_name(f"{path.name}-wal")]
    assert any(ADAS.encode() in file.read_bytes() for file in files), "it was there"
    assert database.scrub_now()
    assert not any(ADAS.encode() in file.read_bytes() for file in files)
    database.close()


def test_after_an_erasure_only_the_log_of_postgres_names_the_person(
    server: Server, owned: str
) -> None:
    database = with_contacts(owned)
    database.write_now(lambda c: c.exec_driver_sql("ANALYZE"))
    assert len(files_of(server)) > 2, "in tables, indexes and statistics"
    subject_requests.erase(database, SUBJECT, suppressing=True, at=1.0)
    assert files_of(server)
    assert database.scrub_now()
    assert files_of(server) == []
    assert database.read_now(lambda c: c.exec_driver_sql("SHOW lock_timeout").scalar()) == "0"
    database.close()


def test_a_reader_that_stays_keeps_the_files_from_being_scrubbed_and_that_is_reported(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_enrichment.service.db.sqlite.BUSY_TIMEOUT", 0.01)
    monkeypatch.setattr(secure_vacuum, "OTHERS_SECONDS", 0.01)
    database = with_contacts(place)
    with closing(reading(place)) as reader:
        subject_requests.erase(database, SUBJECT, suppressing=True, at=1.0)
        assert not database.scrub_now()
        reader.execute("ROLLBACK")
        monkeypatch.setattr("mcp_enrichment.service.db.sqlite.BUSY_TIMEOUT", HANG)
        monkeypatch.setattr(secure_vacuum, "OTHERS_SECONDS", HANG)
        assert database.scrub_now()
    database.close()


def test_a_role_that_may_not_write_the_tables_anew_is_told_so(server: Server, owned: str) -> None:
    name = owned.rpartition("/")[2]
    database = with_contacts(owned)
    server.execute(f"ALTER DATABASE {name} OWNER TO enrichment")
    assert not database.scrub_now(), "only the database's owner may rewrite the statistics"
    database.close()


def reading(place: Place) -> sqlite3.Connection | psycopg.Connection[tuple[object, ...]]:
    """An open transaction that has read something."""
    reader = (
        psycopg.connect(place, autocommit=True)
        if isinstance(place, str)
        else sqlite3.connect(place, isolation_level=None)
    )
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ" if isinstance(place, str) else "BEGIN")
    reader.execute("SELECT count(*) FROM teams").fetchall()
    return reader
