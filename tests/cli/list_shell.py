"""The command for lists as a user runs it, against a service that a test scripts."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from tests.cli.commands import Done, Shell
from tests.support.waiting import HANG

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.support.list_service import ListService
    from tests.support.scripted_server import ScriptedServer


@dataclass(frozen=True)
class ListShell:
    """A user of the service, with a list in a file."""

    shell: Shell
    vendor: ScriptedServer
    service: ListService

    @property
    def list_file(self) -> Path:
        return self.shell.folder / "people.csv"

    @property
    def out(self) -> Path:
        return self.shell.folder / "found.csv"

    def write(self, *lines: str) -> None:
        """Write the list."""
        self.list_file.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="")

    def start(self, *options: str, **popen: Any) -> subprocess.Popen[str]:
        """Start the command for the list; `source` is another input."""
        source = popen.pop("source", str(self.list_file))
        return self.shell.start("enrich", source, *options, popen=popen, **self.settings)

    @property
    def settings(self) -> dict[str, str]:
        return {"API_URL": self.vendor.url, "API_KEY": "k-secret"}

    async def run(self, *options: str, **popen: Any) -> Done:
        """Run the command to its end, while the service answers."""
        return await ended(self.start(*options, **popen))

    async def saved(self, *options: str, **popen: Any) -> Done:
        """Run it without a question, with `out` as its output."""
        return await self.run("--yes", "--out", str(self.out), *options, **popen)

    def rows(self, path: Path | None = None) -> list[dict[str, str]]:
        """The rows of a CSV output."""
        with (path or self.out).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


async def ended(process: subprocess.Popen[str]) -> Done:
    """Wait for the end of a command."""
    communicate = partial(process.communicate, timeout=HANG)
    out, err = await anyio.to_thread.run_sync(communicate)
    return Done(process.returncode, out or "", err or "")
