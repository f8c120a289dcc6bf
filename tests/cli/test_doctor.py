"""`mcp-enrichment doctor` names what is wrong, changes and spends nothing, and shows no secret."""

from __future__ import annotations

import os
import signal
import sqlite3
import ssl
import sys
import time
from contextlib import closing
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import click
import httpx
import pytest
from anyio.streams.tls import TLSStream

from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.client.probe import Obstacle, diagnose
from mcp_enrichment.service.db.sqlite import open_sqlite
from tests.support.certificates import self_signed
from tests.support.running_service import MISS, FixedSource, rows, running_service
from tests.support.scripted_server import hangs, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Done, Shell
    from tests.support.scripted_server import Behaviour, ScriptedServer

pytestmark = pytest.mark.anyio

KEY = "sk-planted-0123456789"
CREDITS = "/v1/api/enrichment/credits"


def lines(done: Done) -> dict[str, str]:
    """The text of each line, by its first two words."""
    assert (done.code == 1) == any(line.startswith("wrong") for line in done.out.splitlines()), done
    assert done.err == ""
    assert KEY not in done.out
    return {" ".join(line.split()[:2]): line for line in done.out.splitlines()}


async def examined(shell: Shell, **load_settings: str) -> dict[str, str]:
    """The lines of a doctor that checks a server which runs in this process."""
    return lines(await anyio.to_thread.run_sync(partial(shell.run, "doctor", **load_settings)))


def test_a_new_installation_is_well_and_stays_new(shell: Shell) -> None:
    told = lines(shell.run("doctor"))
    assert {line.split()[1] for line in told} == {
        *("version", "python", "sqlite", "settings", "key", "data", "state", "memory"),
        *("reach", "balance", "client"),
    }
    assert "250" in told["note balance"]
    assert os.listdir(shell.folder) == []


def test_the_doctor_names_the_sources_of_the_embedded_service(shell: Shell) -> None:
    assert "asks nobody else" in lines(shell.run("doctor"))["note reach"]
    vendors = {"SOURCES": "contacts,hunter,wiza", "HUNTER_API_KEY": KEY, "WIZA_API_KEY": KEY}
    assert "sends profiles to hunter, wiza:" in lines(shell.run("doctor", **vendors))["note reach"]


async def test_the_embedded_balance_is_read_and_waiting_lookups_are_left_waiting(
    shell: Shell,
) -> None:
    async with running_service(shell.database, FixedSource(MISS), credits=7, jobs=False) as it:
        await it.accepted()
    told = await examined(shell)
    assert "6 credits" in told["ok balance"]
    assert rows(shell.database, "SELECT status FROM requests") == [("pending",)]
    shell.run("enrich", "https://www.linkedin.com/in/ada-okafor-example")
    assert "ok memory" in await examined(shell)


async def test_a_server_is_asked_once_for_its_balance_and_nothing_else(
    vendor: ScriptedServer, shell: Shell
) -> None:
    vendor.will(replies(200, {"balance": 42}, {"date": formatdate(usegmt=True)}))
    told = await examined(shell, API_URL=vendor.url, API_KEY=KEY)
    assert "ok reach" in told
    assert "42 credits" in told["ok balance"]
    assert "ok clock" in told
    assert "ENRICHMENT_API_KEY" in told["ok key"]
    assert [(seen.method, seen.path) for seen in vendor.seen] == [("GET", CREDITS)]
    assert vendor.seen[0].headers["x-api-key"] == KEY


UNREAD = {
    "RATELIMIT": "5",
    "SOURCE_LIMITS": "hunter=3",
    "WIZA_API_KEY": KEY,
    "HUNTER_API_KEY_FILE": "/none",
}


def test_unknown_variables_and_unused_limits_are_reported(shell: Shell) -> None:
    done = shell.run("doctor", **UNREAD)
    notes = [line for line in done.out.splitlines() if line.startswith("note   settings")]
    assert done.code == 0
    assert len(notes) == 2
    assert "reads ENRICHMENT_RATELIMIT." in notes[0]
    assert "hunter" in notes[1]


CANNOT_WORK = [
    ("PUBLIC_URL", "https://mcp.example/mcp"),
    ("PUBLIC_URL", "https://mcp.example/mcp/"),
    ("PUBLIC_URL", "https://mcp.example?q=1"),
    ("PUBLIC_URL", "https://mcp.example#top"),
    ("HTTP_ORIGINS", "*"),
    ("HTTP_ORIGINS", "https://app.example,https://app.example/"),
    ("HTTP_HOSTS", "https://mcp.example"),
    ("HTTP_HOSTS", "mcp.example/mcp"),
    ("SOURCE_LIMITS", "contat=1"),
    ("SOURCE_LIMITS", "contacts="),
]


@pytest.mark.parametrize(("name", "value"), CANNOT_WORK)
def test_a_setting_that_cannot_work_is_refused_by_its_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENRICHMENT_{name}", value)
    with pytest.raises(click.UsageError, match=f"ENRICHMENT_{name}: "):
        load_settings()


def test_settings_that_work_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENRICHMENT_PUBLIC_URL", "https://mcp.example/team")
    monkeypatch.setenv("ENRICHMENT_HTTP_ORIGINS", "https://app.example:8443,http://[::1]:1")
    monkeypatch.setenv("ENRICHMENT_HTTP_HOSTS", "mcp.example:443,localhost,[::1]:8701")
    assert load_settings().http_hosts == ("mcp.example:443", "localhost", "[::1]:8701")


def test_a_damaged_memory_is_reported_and_left_alone(shell: Shell) -> None:
    memory = shell.folder / "state" / "memory.db"
    memory.parent.mkdir()
    memory.write_bytes(b"no database, but long enough to be read as one\n" * 100)
    before = kept_in(shell.folder)
    assert "damaged" in lines(shell.run("doctor"))["wrong memory"]
    assert kept_in(shell.folder) == before


def test_a_database_of_an_older_version_is_reported_and_left_alone(shell: Shell) -> None:
    open_sqlite(shell.database).close()
    before = kept_in(shell.folder)
    newer = shell.run("doctor", module="tests.support.newer_program")
    assert "older version" in lines(newer)["note balance"]
    assert kept_in(shell.folder) == before


TABLES = {
    "none": "SELECT 1",
    "one": "CREATE TABLE teams (id)",
    "no revision": "CREATE TABLE alembic_version (version_num)",
    "one with a revision": "CREATE TABLE teams (id); CREATE TABLE alembic_version (version_num); "
    "INSERT INTO alembic_version VALUES ('0001')",
}


@pytest.mark.parametrize("tables", TABLES)
def test_a_database_that_was_never_completed_is_reported_in_one_sentence(
    tables: str, shell: Shell
) -> None:
    shell.database.parent.mkdir()
    with closing(sqlite3.connect(shell.database)) as database:
        database.executescript(TABLES[tables])
    before = kept_in(shell.folder)
    told = lines(shell.run("doctor"))
    half_made = told.get("wrong balance") or told["note balance"]
    assert str(shell.database) in half_made
    assert ("makes it ready" if tables == "none" else "move it away") in half_made
    assert half_made.count(". ") == 0
    assert kept_in(shell.folder) == before


@pytest.mark.parametrize(
    "lost", ["DROP TABLE requests", "ALTER TABLE teams RENAME COLUMN name TO title"]
)
def test_a_database_that_lacks_a_part_is_reported_in_one_sentence(lost: str, shell: Shell) -> None:
    open_sqlite(shell.database).close()
    with closing(sqlite3.connect(shell.database)) as database:
        database.execute(lost)
    told = lines(shell.run("doctor"))["wrong balance"]
    assert "half-made" in told
    assert told.count(". ") == 0


def test_a_database_whose_first_migration_was_killed_is_reported_and_its_next_use_completes_it(
    shell: Shell,
) -> None:
    killed = shell.start("credits", module="tests.support.killed_migration")
    killed.communicate(timeout=HANG)
    assert killed.returncode == -signal.SIGKILL
    assert "makes it ready" in lines(shell.run("doctor"))["note balance"]
    assert shell.run("credits").out == "250\n"
    assert "250 credits" in lines(shell.run("doctor"))["ok balance"]


async def test_a_database_is_looked_at_while_others_have_it_open_and_when_nobody_has(
    shell: Shell,
) -> None:
    async with running_service(shell.database, FixedSource(MISS), credits=7, jobs=False):
        assert "7 credits" in (await examined(shell))["ok balance"]
    before = kept_in(shell.folder)
    assert "7 credits" in (await examined(shell))["ok balance"]
    assert kept_in(shell.folder) == before


def test_a_key_of_the_suppression_list_that_is_not_its_own_is_reported(shell: Shell) -> None:
    suppressed = shell.run("privacy", "suppress", "--email", "ada@example.com")
    assert suppressed.code == 0, suppressed
    assert "250 credits" in lines(shell.run("doctor"))["ok balance"]
    other = lines(shell.run("doctor", PRIVACY_KEY="another" * 8))
    assert "another key" in other["wrong balance"]


def kept_in(folder: Path) -> dict[str, bytes]:
    """The content of every file in a folder and below it."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ANSWERS: dict[str, tuple[Behaviour, str, str]] = {
    "a key that is refused": (replies(401), "wrong key", "valid one"),
    "too many questions": (replies(429), "note reach", "in a minute"),
    "an outage": (replies(503), "wrong reach", "at the moment"),
    "another kind of server": (replies(404), "wrong reach", "ENRICHMENT_API_URL"),
    "junk": (replies(200, b"<html>"), "wrong reach", "ENRICHMENT_API_URL"),
    "no credit": (replies(200, {"balance": 0}), "wrong balance", "Add some"),
    "few credits": (replies(200, {"balance": 3}), "note balance", "3 credits"),
    "no time": (replies(200, {"balance": 9}), "note clock", "no date"),
    "no real time": (replies(200, {"balance": 9}, {"date": "noon"}), "note clock", "no date"),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_a_refusal_of_the_server_is_reported_with_its_remedy(
    case: str, vendor: ScriptedServer, shell: Shell
) -> None:
    answer, line, what_to_do = ANSWERS[case]
    vendor.will(answer)
    told = await examined(shell, API_URL=vendor.url, API_KEY=KEY)
    assert what_to_do in told[line]


@pytest.mark.parametrize(("offset", "direction"), [(-900, "ahead of"), (900, "behind")])
async def test_a_clock_that_is_wrong_is_reported(
    offset: int, direction: str, vendor: ScriptedServer, shell: Shell
) -> None:
    date = formatdate(time.time() + offset, usegmt=True)
    vendor.will(replies(200, {"balance": 9}, {"date": date}))
    told = await examined(shell, API_URL=vendor.url)
    assert direction in told["wrong clock"]


async def test_a_certificate_that_nobody_has_signed_is_reported(shell: Shell) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(shell.folder))

    async def shake_hands(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            with pytest.raises((anyio.BrokenResourceError, ssl.SSLError)):
                await TLSStream.wrap(stream, ssl_context=context)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, shake_hands)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        told = await examined(shell, API_URL=f"https://localhost:{port}")
        tasks.cancel_scope.cancel()
    assert "certificate" in told["wrong reach"]


def test_an_unresolvable_host_and_an_unencrypted_key_are_reported(shell: Shell) -> None:
    done = shell.run("doctor", API_URL="http://ada:hidden@nowhere.invalid", API_KEY=KEY)
    told = lines(done)
    assert "https" in told["wrong key"]
    assert "no address" in told["wrong reach"]
    assert "hidden" not in done.out


def test_a_port_where_nothing_answers_is_reported(shell: Shell) -> None:
    told = lines(shell.run("doctor", API_URL="http://127.0.0.1:1", API_KEY=KEY))
    assert "nothing answers there" in told["wrong reach"]
    assert "ok key" in told


async def test_an_answer_that_does_not_come_is_told_from_one_that_is_refused(
    vendor: ScriptedServer,
) -> None:
    vendor.always(hangs())
    async with httpx.AsyncClient(timeout=0.05) as http:
        with pytest.raises(httpx.HTTPError) as late:
            await http.get(vendor.url)
        with pytest.raises(httpx.HTTPError) as refused:
            await http.get("http://127.0.0.1:1")
    assert diagnose(late.value) is Obstacle.TIME
    assert diagnose(refused.value) is Obstacle.CONNECTION


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX systems alone")
def test_a_key_file_that_others_can_read_is_reported(shell: Shell) -> None:
    file = shell.folder / "key.txt"
    file.write_text(KEY)
    file.chmod(0o644)
    load_settings = {"API_URL": "http://127.0.0.1:1", "API_KEY_FILE": str(file)}
    assert f"chmod 600 {file}" in lines(shell.run("doctor", **load_settings))["wrong key"]
    file.chmod(0o600)
    assert "ok key" in lines(shell.run("doctor", **load_settings))


def test_files_that_cannot_be_read_or_written_are_reported(shell: Shell) -> None:
    (shell.folder / "file").touch()
    shell.database.parent.mkdir()
    shell.database.write_bytes(b"no database, but long enough to be read as one\n" * 100)
    told = lines(shell.run("doctor", STATE_DIR=str(shell.folder / "file" / "state")))
    assert "ENRICHMENT_STATE_DIR" in told["wrong state"]
    assert "enrichment.db" in told["wrong balance"]
    key = lines(shell.run("doctor", API_KEY_FILE=str(shell.folder / "file")))
    assert "ENRICHMENT_API_KEY_FILE" in key["wrong key"]
    setting = lines(shell.run("doctor", LOG_LEVEL="loud"))
    assert "ENRICHMENT_LOG_LEVEL" in setting["wrong settings"]
