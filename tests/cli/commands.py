"""The commands as a user runs them: real processes whose files are all in one folder."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db.sqlite import open_sqlite
from tests.support import forks
from tests.support.exports import read_export
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE = str(files("mcp_enrichment") / "data" / "Connections.csv")
ADA = "https://www.linkedin.com/in/ada-okafor-example"
JONAS = "https://www.linkedin.com/in/jonas-wei%C3%9F-example"


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    def refused(self, code: int = 1) -> str:
        """The one sentence on stderr of a command that could not do its work."""
        assert self.code == code, self
        assert self.out == "", "a refused command prints nothing on stdout"
        assert "Traceback" not in self.err, self.err
        said = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(said) == 1, self.err
        return said[0].removeprefix("Error: ")


@dataclass(frozen=True)
class Shell:
    """Runs commands with their data and state files in one folder."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "data" / "enrichment.db"

    def one(self, query: str) -> Any:
        """The single value that the query reads from the database, without using the program."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchone()[0]

    def balance(self) -> int:
        return int(self.one("SELECT available FROM teams"))

    def environment(self, **settings: str) -> dict[str, str]:
        ours = {"DATA_DIR": str(self.folder / "data"), "STATE_DIR": str(self.folder / "state")}
        named = {f"ENRICHMENT_{name}": value for name, value in (ours | settings).items()}
        return dict(os.environ) | named | {"PYTHONUTF8": "1"}

    def run(self, *arguments: str, **settings: str) -> Done:
        """Run a command to its end."""
        return self.run_all(arguments, **settings)[0]

    def run_all(self, *commands: Sequence[str], **settings: str) -> list[Done]:
        """Run commands at the same time, each to its end."""
        processes = [self.start(*command, **settings) for command in commands]
        said = [process.communicate(timeout=HANG) for process in processes]
        return [Done(p.returncode, *s) for p, s in zip(processes, said, strict=True)]

    def start(
        self,
        *arguments: str,
        popen: dict[str, Any] | None = None,
        python: Sequence[str] = (),
        module: str = "mcp_enrichment",
        **settings: str,
    ) -> subprocess.Popen[str]:
        """Start a command, with options for Python itself; its stdin is empty."""
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        if sys.platform != "win32":
            options["preexec_fn"] = forks.hear_ctrl_c
        command = [sys.executable, *python, "-m", module, *arguments]
        return forks.popen(
            command,
            env=self.environment(**settings),
            text=True,
            encoding="utf-8",
            **options | (popen or {}),
        )


def imported_by(shell: Shell) -> None:
    """Import the sample without starting a process."""
    database = open_sqlite(shell.database)
    import_contacts(database, read_export(Path(SAMPLE)), source="linkedin")
    database.close()
