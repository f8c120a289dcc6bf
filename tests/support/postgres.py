"""A real Postgres for the tests: on a free port, in a temporary folder, removed at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from mcp_enrichment.service.db.postgres import migrate_postgres
from tests.support.optional_tools import do_without

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "enrichment"
MISSING = (
    "Postgres is not installed, so what runs on it is left out of the tests. "
    "As root, `python3 tasks.py test` installs Debian's package; else install it yourself."
)
QUICK = ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_connections=200")
"""Settings that are safe if its processes crash, but not if the machine does."""


@dataclass
class Server:
    """A running server."""

    folder: Path
    bin: Path
    port: int
    settings: tuple[str, ...] = QUICK
    _numbers: count[int] = field(default_factory=count)
    _own: psycopg.Connection | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = [f"port={self.port}", f"unix_socket_directories={self.folder}", *self.settings]
        line = " ".join(f"-c {option}" for option in [*options, "listen_addresses=127.0.0.1"])
        self.run("pg_ctl", "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", line, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it. `immediate` is a crash: nothing is cleaned up, and the next start recovers."""
        if self._own:
            self._own.close()
            self._own = None
        self.run("pg_ctl", "-w", "-m", mode, "stop")

    def run(self, program: str, *options: str) -> None:
        """Run one of its programs on its data, as a user that it accepts: not as root."""
        command = [str(self.bin / program), "-D", str(self.folder / "data"), *options]
        user = {"user": _nobody()} if _nobody() is not None else {}
        with (self.folder / "said").open("a") as said:
            subprocess.run(command, cwd=self.folder, check=True, stdout=said, stderr=said, **user)

    def fresh(self, template: str = "template0") -> str:
        """The URL of a new database."""
        name = f"made_{next(self._numbers)}"
        # From Postgres 15 on, the default is another way, which takes twice the time.
        copying = "STRATEGY FILE_COPY" if self._connected().info.server_version >= 150000 else ""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} {copying}")
        return self.url(name)

    def drop(self, url: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def migrated(self) -> str:
        """The name of a database at this version's schema, from which others are copied."""
        url = self.fresh()
        migrate_postgres(url)
        return url.rpartition("/")[2]

    def execute(self, statement: Any) -> None:
        self._connected().execute(statement)

    def _connected(self) -> psycopg.Connection:
        """One connection for all statements, until the server stops: each new one takes time."""
        if self._own is None:
            self._own = psycopg.connect(self.url(), autocommit=True)
        return self._own


def installed() -> Path | None:
    """The folder of Postgres's programs, or None."""
    on_path = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    named = Path(on_path) if on_path else (found[-1] if found else None)
    return named.parent if named else None


def programs() -> Path:
    """The folder of Postgres's programs; without it the test is skipped, and in CI it fails."""
    found = installed()
    if found is None:
        do_without(MISSING)
    return found


@contextmanager
def server(programs: Path, settings: tuple[str, ...] = QUICK) -> Iterator[Server]:
    """A server that is created for the block and removed after it."""
    folder = Path(tempfile.mkdtemp(prefix="mcp-enrichment-postgres-"))
    if (nobody := _nobody()) is not None:
        os.chown(folder, nobody, -1)
    made = Server(folder=folder, bin=programs, port=_free_port(), settings=settings)
    try:
        made.run("initdb", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--no-sync")
        made.start()
        try:
            yield made
        finally:
            made.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _version(initdb: Path) -> int:
    return int(initdb.parts[-3].partition(".")[0])


def _nobody() -> int | None:
    """The user that runs the server if the tests run as root."""
    if os.getuid() != 0:
        return None
    return pwd.getpwnam("postgres").pw_uid


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
