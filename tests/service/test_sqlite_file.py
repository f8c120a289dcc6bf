"""A database file is created completely or not at all; problems are reported in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, update
from sqlalchemy.exc import IntegrityError

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.db import migrate, schema
from mcp_enrichment.service.db.sqlite import open_sqlite
from tests.support.databases import rows
from tests.support.forks import popen
from tests.support.running_service import ADAS, HIT, FixedSource, running_service
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from sqlalchemy import Connection

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


def test_the_migrations_make_just_the_tables_of_the_schema(path: Path) -> None:
    migrated, declared = open_sqlite(path), open_sqlite(path.with_name("other.db"))

    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, schema.metadata))

    def make_anew(connection: Connection) -> None:
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)

    assert migrated.read_now(differences) == []
    declared.write_now(make_anew)
    # Alembic does not compare checks, conditions of indexes, and WITHOUT ROWID.
    assert migrated.read_now(_checks) == declared.read_now(_checks)
    assert migrated.read_now(_partial_indexes) == declared.read_now(_partial_indexes) != []
    assert (
        migrated.read_now(_without_rowid) == declared.read_now(_without_rowid) == ["contact_emails"]
    )
    migrated.close()
    declared.close()


def _checks(connection: Connection) -> dict[str, list[tuple[str | None, str]]]:
    found = inspect(connection)
    return {
        table: sorted((str(c["name"]), c["sqltext"]) for c in found.get_check_constraints(table))
        for table in schema.metadata.tables
    }


def _partial_indexes(connection: Connection) -> list[str]:
    query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
    return sorted(connection.exec_driver_sql(query).scalars())


def _without_rowid(connection: Connection) -> list[str]:
    query = "SELECT name FROM pragma_table_list WHERE wr AND schema = 'main'"
    return sorted(connection.exec_driver_sql(query).scalars())


def test_the_newest_revision_is_the_one_that_the_code_takes_for_it() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert scripts.get_heads() == [migrate.HEAD]


def test_a_database_is_opened_again_as_it_was_left(path: Path) -> None:
    open_sqlite(path).close()
    before = rows(path, "SELECT * FROM sqlite_master")
    open_sqlite(path).close()
    assert rows(path, "SELECT * FROM sqlite_master") == before
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]


def test_references_between_tables_are_enforced(path: Path) -> None:
    database = open_sqlite(path)
    with pytest.raises(IntegrityError):
        database.write_now(
            lambda c: c.exec_driver_sql(
                "INSERT INTO callbacks VALUES ('c', 'nobody', 'u', '', 1, 0)"
            )
        )
    database.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    database = open_sqlite(path)
    database.write_now(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = 'ff'"))
    database.close()
    _refused(path, StorageFault.NEWER_SCHEMA)
    assert rows(path, "SELECT version_num FROM alembic_version") == [("ff",)]


@pytest.mark.parametrize("content", [b"%PDF-1.7 not a database" * 99, b"just a line\n", b"\0" * 99])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    _refused(path, StorageFault.NOT_A_DATABASE)
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_damaged_database_is_told_as_such(path: Path) -> None:
    open_sqlite(path).close()
    content = bytearray(path.read_bytes())
    content[200:8192] = b"x" * (8192 - 200)
    path.write_bytes(content)
    _refused(path, StorageFault.NOT_A_DATABASE)


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    open_sqlite(path).close()
    assert rows(path, "SELECT * FROM teams") == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    _refused(in_the_way / "enrichment.db", StorageFault.NOT_WRITABLE)
    _refused(in_the_way / "deeper" / "enrichment.db", StorageFault.NOT_WRITABLE)


def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    _refused(path, StorageFault.NOT_WRITABLE)


def _refused(path: Path, fault: StorageFault) -> None:
    with pytest.raises(StorageFailed) as raised:
        open_sqlite(path)
    assert raised.value.fault is fault


def test_a_migration_that_breaks_off_leaves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(connection: Connection) -> None:
        upgrade(connection)
        raise StorageFailed(StorageFault.FULL)

    upgrade = migrate.upgrade
    with monkeypatch.context() as patched:
        patched.setattr("mcp_enrichment.service.db.sqlite.upgrade", power_cut)
        _refused(path, StorageFault.FULL)
    assert rows(path, "SELECT * FROM sqlite_master") == []
    open_sqlite(path).close()


def test_processes_that_open_a_new_file_at_once_make_it_once(path: Path) -> None:
    path.parent.mkdir()
    program = [sys.executable, "-m", "tests.support.open_at_once", str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [popen(program, cwd=ROOT, **pipes) for _ in range(6)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=HANG)[0] for process in processes] == ["250\n"] * 6
    assert rows(path, "SELECT kind, amount FROM ledger") == [("grant", 250)]


async def test_an_error_of_the_database_does_not_tell_what_was_written(path: Path) -> None:
    async with running_service(path, FixedSource(HIT), jobs=False) as it:
        await it.accepted()
        values = update(schema.requests).values(email=ADAS)  # of a request that is not final
        with pytest.raises(IntegrityError) as raised:
            await it.service.database.write(lambda c: c.execute(values))
    assert ADAS not in str(raised.value)
