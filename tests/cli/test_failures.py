"""Each failure ends in one sentence that says what to do, and leaves nothing half-done."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import click
import pytest
from click.testing import CliRunner

from mcp_enrichment.cli.errors import PlainErrors
from tests.cli.commands import ADA, SAMPLE, Done, Shell, imported_by
from tests.support.scripted_server import hangs, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.support.scripted_server import ReceivedRequest, ScriptedServer

COMMANDS = (["enrich", ADA], ["contacts", "import", SAMPLE], ["credits"])
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="of POSIX systems alone")


def test_a_data_folder_that_cannot_be_made_is_reported(shell: Shell) -> None:
    (shell.folder / "file").touch()
    for done in shell.run_all(*COMMANDS, DATA_DIR=str(shell.folder / "file" / "data")):
        assert "ENRICHMENT_DATA_DIR" in done.refused()


def test_a_state_folder_that_cannot_be_made_is_reported(shell: Shell) -> None:
    (shell.folder / "file").touch()
    told = shell.run("enrich", ADA, STATE_DIR=str(shell.folder / "file" / "state")).refused()
    assert "cannot be written" in told


def test_a_database_file_that_is_none_is_reported_and_left_as_it_was(shell: Shell) -> None:
    shell.database.parent.mkdir()
    content = b"this is not a database, but a long enough text to be read as one\n" * 100
    shell.database.write_bytes(content)
    for done in shell.run_all(*COMMANDS):
        assert "enrichment.db" in done.refused()
    assert shell.database.read_bytes() == content


def test_a_database_of_a_newer_version_is_reported(with_contacts: Shell) -> None:
    with closing(sqlite3.connect(with_contacts.database)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    for done in with_contacts.run_all(*COMMANDS):
        assert "Upgrade" in done.refused()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate file system of 64 KiB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not mount or not umount or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run([umount, str(disk)], check=True)


@POSIX
@pytest.mark.parametrize("command", COMMANDS, ids=["enrich", "import", "credits"])
def test_a_full_disk_is_reported_and_leaves_nothing_half_done(
    command: list[str], small_disk: Path
) -> None:
    shell = Shell(small_disk)
    (small_disk / "filler").write_bytes(b"x" * 50_000)
    told = shell.run(*command).refused()
    assert "Free space" in told or "cannot be written" in told
    (small_disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=10M", str(small_disk)], check=True)  # noqa: S607
    imported_by(shell)
    assert shell.one("SELECT count(*) FROM contact_emails") == 8
    assert shell.one("SELECT count(*) FROM requests") == 0


@POSIX
def test_files_that_may_not_grow_are_reported_like_a_full_disk(shell: Shell) -> None:
    import resource

    def no_file_over_20_kib() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_480, 20_480))

    process = shell.start("credits", popen={"preexec_fn": no_file_over_20_kib})
    out, err = process.communicate(timeout=HANG)
    assert "Free space" in Done(process.returncode, out, err).refused()


def _no_file_over(size: int) -> Callable[[], None]:
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@POSIX
@pytest.mark.parametrize("kib", [8, 64, 128, 136, 144, 160, 192])
def test_a_disk_that_fills_at_any_moment_of_the_first_lookup_costs_nothing(
    shell: Shell, kib: int
) -> None:
    limited = shell.start("enrich", ADA, popen={"preexec_fn": _no_file_over(kib * 1024)})
    out, err = limited.communicate(timeout=HANG)
    told = Done(limited.returncode, out, err)
    assert "Traceback" not in err
    if told.code == 1:
        assert "nothing charged" in told.refused()
    imported_by(shell)
    assert shell.run("enrich", ADA).out == "ada.okafor@example.com\n"


@pytest.mark.parametrize("table", ["teams", "t"])
def test_a_database_of_another_program_is_reported_and_left_as_it_was(
    shell: Shell, table: str
) -> None:
    shell.database.parent.mkdir()
    with closing(sqlite3.connect(shell.database)) as other, other:
        other.execute(f"CREATE TABLE {table} (x)")
    for done in shell.run_all(*COMMANDS, ["contacts", "list"], ["teams", "add", "acme"]):
        assert "enrichment.db" in done.refused()
    assert shell.one("SELECT group_concat(name) FROM sqlite_master") == table


def test_a_name_is_printed_though_the_output_knows_no_such_letters(with_contacts: Shell) -> None:
    environment = with_contacts.environment() | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "mcp_enrichment", "contacts", "list"]
    listed = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert listed.stderr == b""
    assert len(listed.stdout.splitlines()) == 8


@POSIX
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux alone")
@pytest.mark.parametrize("command", [["contacts", "list"], []], ids=["list", "serve"])
def test_an_output_that_takes_nothing_gives_no_traceback(
    command: list[str], with_contacts: Shell
) -> None:
    with open("/dev/full", "w") as full, open(os.devnull) as nothing:
        process = with_contacts.start(*command, popen={"stdout": full, "stdin": nothing})
    _, err = process.communicate(timeout=HANG)
    assert "Traceback" not in err


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    command = click.Command("opens", callback=missing.read_text)
    done = CliRunner().invoke(PlainErrors(commands=[command]), ["opens"])
    assert done.output == f"Error: {missing} cannot be used: No such file or directory.\n"


@POSIX
def test_files_with_names_or_secrets_are_readable_by_their_owner_only(
    with_contacts: Shell,
) -> None:
    with_contacts.run("enrich", ADA)
    for folder in ("data", "state"):
        assert (with_contacts.folder / folder).stat().st_mode & 0o077 == 0
    assert with_contacts.database.stat().st_mode & 0o077 == 0


@POSIX
def test_such_files_are_their_owners_alone_in_folders_that_are_open_to_all(shell: Shell) -> None:
    for name in ("data", "state"):
        (shell.folder / name).mkdir()
        (shell.folder / name).chmod(0o755)
    shell.run("contacts", "import", SAMPLE)
    shell.run("enrich", ADA)
    files = [file for file in shell.folder.rglob("*") if file.is_file() and file.stat().st_size]
    assert {"enrichment.db", "memory.db", "privacy.key"} <= {file.name for file in files}
    assert not [file.name for file in files if file.stat().st_mode & 0o077]


@POSIX
def test_such_files_are_their_owners_alone_also_where_links_to_missing_files_lead(
    shell: Shell,
) -> None:
    elsewhere = shell.folder / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    names = {"enrichment.db": "data", "privacy.key": "data", "memory.db": "state"}
    for name, folder in names.items():
        (shell.folder / folder).mkdir(exist_ok=True)
        (shell.folder / folder / name).symlink_to(elsewhere / name)
    shell.run("contacts", "import", SAMPLE)
    shell.run("enrich", ADA)
    files = list(elsewhere.iterdir())
    assert names.keys() <= {file.name for file in files}
    assert not [file.name for file in files if file.stat().st_mode & 0o077]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("DATA_DIR", "here", "ENRICHMENT_DATA_DIR: it must be an absolute path."),
        ("CALLBACK_NETWORKS", "10.0.0.1/8", "ENRICHMENT_CALLBACK_NETWORKS:"),
        ("RESERVE", "-1", "ENRICHMENT_RESERVE"),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    shell: Shell, setting: str, value: str, said: str
) -> None:
    assert said in shell.run("credits", **{setting: value}).refused(code=2)


@pytest.mark.parametrize("host", ["", "no such host.invalid", "x" * 300])
def test_a_host_that_cannot_be_listened_on_is_reported(shell: Shell, host: str) -> None:
    assert "--host" in shell.run("service", "--host", host).refused()


@POSIX
@pytest.mark.parametrize("command", [["contacts", "list"], ["--help"]])
def test_a_reader_that_has_gone_gives_no_traceback(
    command: list[str], with_contacts: Shell
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = with_contacts.start(*command, popen={"stdout": write_end})
    os.close(write_end)
    assert process.stderr
    assert process.stderr.read() == ""
    process.communicate(timeout=HANG)


@POSIX
@pytest.mark.anyio
@pytest.mark.parametrize("waits_for", ["POST", "GET"])
async def test_ctrl_c_ends_a_lookup_without_a_traceback(
    waits_for: str, vendor: ScriptedServer, shell: Shell
) -> None:
    asked = anyio.Event()

    async def then_hangs(stream: SocketStream, seen: ReceivedRequest) -> None:
        asked.set()
        await hangs()(stream, seen)

    body: dict[str, Any] = {"_id": "abc", "status": "pending", "linkedin_url": ADA}
    if waits_for == "GET":
        vendor.will(replies(201, body))
    vendor.always(then_hangs)
    process = shell.start("enrich", ADA, API_URL=vendor.url)
    with anyio.fail_after(HANG):
        await asked.wait()
    process.send_signal(signal.SIGINT)
    out, err = await anyio.to_thread.run_sync(process.communicate)
    assert (out, err.strip()) == ("", "Aborted!")
    assert process.returncode == 1
