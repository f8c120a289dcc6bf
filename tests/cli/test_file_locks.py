"""On a file system that SQLite cannot work on, such as some network drives, an error says so."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.errors import StorageFault
from tests.cli.commands import ADA, SAMPLE, Done, Shell
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Done]

SHIM = Path(__file__).parents[1] / "support" / "unlockable.c"
CAUSE = StorageFault.NO_LOCKS.explanation.happened
LOCKS = ("ENOLCK", "EOPNOTSUPP", "EPERM", "EACCES")
"""The errors with which file systems refuse a lock. SQLite reports each in its own way: the first
and the last as busy, which is the case of NFS without its lock service."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library of Linux")


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose calls fail as on such a file system."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = tmp_path_factory.mktemp("shim") / "unlockable.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True, timeout=HANG)
    return library


@pytest.fixture
def run(shell: Shell, shim: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on a file system where this call fails with that error."""

    def run(*arguments: str, what: str = "LOCKS", how: str, **settings: str) -> Done:
        with monkeypatch.context() as refusing:
            refusing.setenv("LD_PRELOAD", str(shim))
            refusing.setenv(f"REFUSE_{what}", str(getattr(errno, how)))
            return shell.run(*arguments, **settings)

    return run


@pytest.mark.parametrize("how", LOCKS)
def test_a_data_folder_whose_file_system_has_no_locks_is_reported_with_what_to_do(
    run: Run, how: str
) -> None:
    told = run("credits", how=how).refused()
    assert told.startswith(CAUSE)
    assert "ENRICHMENT_DATA_DIR" in told
    assert "local disk" in told


@pytest.mark.parametrize("command", [["enrich", ADA], ["contacts", "import", SAMPLE]])
def test_nothing_is_started_where_there_are_no_locks(
    run: Run, shell: Shell, command: list[str]
) -> None:
    told = run(*command, how="ENOLCK").refused()
    assert told.startswith(CAUSE)
    assert "nothing charged" in told
    assert not shell.database.exists()


def test_a_data_folder_where_no_memory_can_be_shared_is_reported_and_no_full_disk(run: Run) -> None:
    told = run("credits", what="SHARING", how="EINVAL").refused()
    assert told.startswith(CAUSE)


@pytest.mark.parametrize("how", LOCKS[:2])
def test_a_state_folder_whose_file_system_has_no_locks_is_reported_before_anything_is_asked(
    run: Run, shell: Shell, how: str
) -> None:
    told = run("enrich", ADA, how=how, API_URL="http://127.0.0.1:9", API_KEY="k-1").refused()
    assert told.startswith(CAUSE)
    assert "ENRICHMENT_STATE_DIR" in told
    assert list((shell.folder / "state").iterdir()) == []


@pytest.mark.parametrize(("what", "how"), [("LOCKS", "ENOLCK"), ("SHARING", "EINVAL")])
def test_the_doctor_reports_missing_locks_of_an_empty_folder(
    run: Run, shell: Shell, what: str, how: str
) -> None:
    for folder in ("data", "state"):
        (shell.folder / folder).mkdir()
    done = run("doctor", what=what, how=how)
    wrong = [line for line in done.out.splitlines() if line.startswith("wrong")]
    assert [line.split()[1] for line in wrong] == ["data", "state"][: 2 if what == "LOCKS" else 1]
    assert all(CAUSE in line for line in wrong)
    assert done.code == 1
    assert list((shell.folder / "data").iterdir()) == []


def test_the_doctor_reports_missing_locks_of_files_in_use(run: Run, with_contacts: Shell) -> None:
    with_contacts.run("enrich", ADA)
    with_contacts.database.with_name("enrichment.db-wal").touch()  # other processes have it open
    told = run("doctor", how="ENOLCK").out.splitlines()
    wrong = [line.split()[1] for line in told if line.startswith("wrong") and CAUSE in line]
    assert wrong == ["data", "state", "memory", "balance"]


def test_a_folder_on_a_file_system_that_can_be_worked_on_is_left_as_it_was(
    with_contacts: Shell,
) -> None:
    with_contacts.run("enrich", ADA)
    assert not list(with_contacts.folder.rglob("lock-test-*"))
    assert with_contacts.run("doctor").code == 0
    assert not list(with_contacts.folder.rglob("lock-test-*"))
