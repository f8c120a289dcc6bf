"""A Postgres database is migrated by the command only; each problem is reported in one sentence."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.accounts.teams import signing_secrets
from mcp_enrichment.service.db import migrate, schema
from mcp_enrichment.service.db.postgres import migrate_postgres, open_postgres
from tests.cli.commands import Shell
from tests.support.databases import change, rows
from tests.support.postgres import USER
from tests.support.running_service import ADA, HIT, FixedSource, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.postgres import Server

pytestmark = pytest.mark.anyio
VERSION = "SELECT version_num FROM alembic_version"
COMMANDS = (["service", "--port", "0"], ["teams", "list"])


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_migrations_make_just_the_tables_of_the_schema(url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_object": theirs,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, schema.metadata))

    def theirs(_table: object, name: str | None, kind: str, *_: object) -> bool:
        # The queue is procrastinate's, and `jobs` is a view of it.
        return not (
            kind == "table" and name and (name.startswith("procrastinate") or name == "jobs")
        )

    database = open_postgres(url)
    assert database.read_now(differences) == []
    database.close()


def test_the_queues_tables_are_those_of_the_package_that_is_installed() -> None:
    shipped = files("procrastinate.sql") / "schema.sql"
    digest = hashlib.sha256(shipped.read_bytes()).hexdigest()
    assert digest == migrate.PROCRASTINATE_SCHEMA, "it needs a new migration"


def test_the_command_migrates_a_database_and_does_it_once(shell: Shell, empty_url: str) -> None:
    for _ in range(2):
        done = shell.run("migrate", DATABASE_URL=empty_url)
        assert (done.code, done.out) == (0, f"The database is at revision {migrate.HEAD}.\n")
    assert rows(empty_url, VERSION) == [(migrate.HEAD,)]
    assert shell.run("teams", "add", "lumen", DATABASE_URL=empty_url).code == 0
    assert rows(empty_url, "SELECT name FROM teams") == [("lumen",)]
    assert not shell.database.exists()


def test_doctor_reads_the_balance_that_is_kept_there(
    shell: Shell, url: str, empty_url: str
) -> None:
    assert shell.run("teams", "add", "default", "--credits", "77", DATABASE_URL=url).code == 0
    assert "77 credits" in shell.run("doctor", DATABASE_URL=url).out
    ill = shell.run("doctor", DATABASE_URL=empty_url).out
    assert "mcp-enrichment migrate" in ill
    assert not shell.database.exists()


def test_what_was_asked_of_a_database_is_remembered_for_that_one(
    shell: Shell, url: str, empty_url: str
) -> None:
    assert "not-found" in shell.run("enrich", ADA, "--type", "work", DATABASE_URL=url).err
    ((request_id, status),) = rows(url, "SELECT id, status FROM requests")
    assert status == "not-found"
    assert request_id in shell.run("memory", "show", DATABASE_URL=url).out
    assert request_id not in shell.run("memory", "show", DATABASE_URL=empty_url).out
    assert request_id not in shell.run("memory", "show").out


def test_commands_that_migrate_at_once_do_it_once(shell: Shell, empty_url: str) -> None:
    done = shell.run_all(*[["migrate"]] * 4, DATABASE_URL=empty_url)
    assert {one.code for one in done} == {0}
    assert rows(empty_url, VERSION) == [(migrate.HEAD,)]


@pytest.mark.parametrize("command", COMMANDS)
def test_whatever_finds_no_schema_or_an_older_one_says_so_and_stops(
    shell: Shell, empty_url: str, command: list[str]
) -> None:
    assert "mcp-enrichment migrate" in shell.run(*command, DATABASE_URL=empty_url).refused()
    migrate_postgres(empty_url)
    newer = shell.run(*command, module="tests.support.newer_program", DATABASE_URL=empty_url)
    assert "mcp-enrichment migrate" in newer.refused()


@pytest.mark.parametrize("command", [*COMMANDS, ["migrate"]])
def test_whatever_finds_a_newer_schema_says_so_and_leaves_it_alone(
    shell: Shell, url: str, command: list[str]
) -> None:
    change(url, "UPDATE alembic_version SET version_num = 'ff'")
    assert "newer version" in shell.run(*command, DATABASE_URL=url).refused()
    assert rows(url, VERSION) == [("ff",)]


def test_a_database_of_another_program_is_told_and_left_as_it_was(
    shell: Shell, empty_url: str
) -> None:
    change(empty_url, "CREATE TABLE theirs (id integer)")
    for command in (["migrate"], ["teams", "list"], ["service", "--port", "0"]):
        assert "another program's" in shell.run(*command, DATABASE_URL=empty_url).refused()
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert rows(empty_url, tables) == [("theirs",)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:pass-word@127.0.0.1:1/x", "Check its host, port, user, password"),
        ("postgresql://me:pass-word@127.0.0.1:1/x?pass-word=1", ". Correct it: "),
        ("postgresql://me:pass-word%@127.0.0.1:1/x", ". Correct it: "),
    ],
)
def test_a_url_that_leads_to_no_database_is_told_without_its_password(
    shell: Shell, url: str, said: str
) -> None:
    refused = shell.run("teams", "list", DATABASE_URL=url)
    assert said in refused.refused()
    assert "pass-word" not in refused.err


@pytest.mark.parametrize("command", [["migrate"], ["doctor"], ["worker"]])
def test_the_name_of_no_database_is_told_as_one_that_may_be_wrong(
    shell: Shell, server: Server, command: list[str]
) -> None:
    told = shell.run(*command, DATABASE_URL=server.url("no_such_database"))
    assert told.code == 1
    assert "ENRICHMENT_DATABASE_URL leads to no database" in told.out + told.err


def test_a_user_who_may_not_make_tables_is_told_and_no_folder_is_blamed(
    shell: Shell, server: Server, empty_url: str
) -> None:
    server.execute("CREATE ROLE reader LOGIN")
    try:
        theirs = empty_url.replace(USER, "reader")
        refused = shell.run("migrate", DATABASE_URL=theirs).refused()
    finally:
        server.execute("DROP ROLE reader")
    assert "Make that role the database's owner" in refused
    assert "DATA_DIR" not in refused


def test_a_database_that_takes_no_writes_is_told_as_a_standby(shell: Shell, url: str) -> None:
    name = url.rpartition("/")[2]
    change(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    refused = shell.run("teams", "add", "lumen", DATABASE_URL=url).refused()
    assert "name the primary server" in refused


def test_a_url_of_another_kind_is_refused_by_the_variables_name(shell: Shell) -> None:
    refused = shell.run("teams", "list", DATABASE_URL="mysql://me:pass-word@it/x")
    assert "ENRICHMENT_DATABASE_URL" in refused.refused(2)
    assert "pass-word" not in refused.err


def test_without_the_extra_the_driver_is_asked_for_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ModuleNotFoundError(name='psycopg')")
    environment = {"ENRICHMENT_DATABASE_URL": "postgresql://it/x", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "mcp_enrichment", "teams", "list"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "mcp-enrichment[postgres]" in done.stderr


async def test_a_database_that_restarts_is_used_again_by_itself(server: Server, url: str) -> None:
    async with running_service(url, FixedSource(HIT)) as it:
        await it.final(await it.accepted())
        server.stop("immediate")
        refused = await it.post()
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            503,
            "storage_unreachable",
        )
        server.start()
        assert await it.balance() == 9
        assert (await it.final(await it.accepted(type="personal")))["status"] == "completed"


async def test_connections_that_died_unseen_cost_no_caller_an_answer(
    server: Server, url: str
) -> None:
    async with running_service(url, jobs=False) as it:
        for kind in ("work", "personal"):
            await it.accepted(type=kind)
            mine = "datname = current_database() AND pid <> pg_backend_pid()"
            rows(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")  # noqa: S608
            assert await it.balance() >= 8


def test_the_first_secret_of_a_team_is_made_once_whoever_needs_it_first(url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    database = open_postgres(url)
    team_id = database.write_now(lambda c: teams.add(c, "lumen", 0, at=0))
    with ThreadPoolExecutor(8) as pool:
        needed = [
            pool.submit(database.write_now, lambda c: list(signing_secrets(c, team_id, at=0)))
            for _ in range(8)
        ]
    assert len({tuple(one.result()) for one in needed}) == 1
    database.close()


def test_a_balance_passes_two_thousand_millions(url: str) -> None:
    database = open_postgres(url)
    for name in ("one", "two"):
        database.write_now(lambda c, n=name: teams.add(c, n, 10**9, at=0))
    change(url, "UPDATE teams SET available = available * 4")
    assert rows(url, "SELECT available FROM teams") == [(4 * 10**9,)] * 2
    assert database.write_now(lambda c: api_keys.create(c, "one", at=0)).key
    database.close()


def test_the_revision_is_checked_before_anything_is_made(empty_url: str) -> None:
    with pytest.raises(StorageFailed) as raised:
        open_postgres(empty_url)
    assert raised.value.fault is StorageFault.OLDER_SCHEMA
    assert rows(empty_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
