"""A process that enriches a list with the embedded service, and may kill itself on the way.

Run it with `python -m tests.support.list_killer`.

Arguments: a folder, the number of the run, the cap, and the event at which it kills itself, such as
`rows 120`: `rows` are printed, `calls` are made to the vendor, `writes` go to the state file,
`batches` are sent to the service, `answers` to them come back; `never 0` runs to the end. It reads
the numbers of the profiles from stdin, and prints JSON lines: the preview, the rows, and the
credits at the end. The vendor keeps its invoice in the folder.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.app import service as app_service
from mcp_enrichment.app.client import open_client
from mcp_enrichment.app.in_process import InProcessApi
from mcp_enrichment.client.state.sqlite_file import SQLiteFile
from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.sources import factory
from mcp_enrichment.service.sources.base import Hit, Miss, Terms
from mcp_enrichment.settings import load_settings
from tests.support.patience import be_patient

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import Outcome

HIT_EVERY = 6
"""Each sixth profile has an email."""
AHEAD = 1000.0
"""Seconds by which the service's clock is ahead of that of the run before: the leases of a process
that was killed have ended, and its calls to the vendor count as lost."""


def profile(number: int) -> str:
    return f"https://www.linkedin.com/in/person-{number}"


def number_of(linkedin_url: str) -> int:
    return int(linkedin_url.rpartition("-")[2])


@dataclass
class Killer:
    """Kills this process at an event."""

    event: str
    left: int

    def count(self, event: str) -> None:
        self.left -= event == self.event
        if self.left == 0 and event == self.event:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class InvoicingVendor:
    """A vendor that writes each call on its invoice, and answers at once."""

    invoice: Path
    killer: Killer
    name = "hunter"
    terms = Terms(hit=1)
    email_types = frozenset(EmailType)
    verified_on = None

    async def find(self, linkedin_url: str, _email_type: EmailType) -> Outcome:
        number = number_of(linkedin_url)
        _append(self.invoice, f"{number}\n")
        self.killer.count("calls")
        if number % HIT_EVERY:
            return Miss()
        return Hit(email=f"person-{number}@example.com", verification=Verification.VERIFIED)

    async def aclose(self) -> None:
        """Nothing is open."""


def _append(file: Path, line: str) -> None:
    with file.open("a") as opened:
        opened.write(line)


def _print(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")  # whole or not at all


def _replace_world(folder: Path, run: int, killer: Killer) -> None:
    """Replace the vendor, and the clock of the service."""
    vendor = InvoicingVendor(folder / "invoice", killer)
    factory.create_sources = lambda *_: [vendor]  # type: ignore[assignment, list-item]
    original = app_service._service_context

    def ahead(*args: Any, **options: Any) -> Any:
        context = original(*args, **options)
        return replace(context, clock=lambda: time.time() + run * AHEAD)

    app_service._service_context = ahead
    write = SQLiteFile._write

    def counted(self: SQLiteFile, work: Any) -> Any:
        killer.count("writes")
        return write(self, work)

    SQLiteFile._write = counted  # type: ignore[method-assign]
    post_batch = InProcessApi.post_batch

    async def counted_batch(self: InProcessApi, posts: Any) -> Any:
        killer.count("batches")
        answer = await post_batch(self, posts)
        killer.count("answers")
        return answer

    InProcessApi.post_batch = counted_batch  # type: ignore[method-assign]


async def main(folder: str, run: str, cap: str, event: str, at: str) -> None:
    killer = Killer(event, int(at))
    _replace_world(Path(folder), int(run), killer)
    numbers = json.load(sys.stdin)
    urls = list(map(profile, numbers))
    async with open_client(load_settings()) as client:
        preview = await client.preview_many(urls, EmailType.WORK)
        _print({"preview": preview.new})
        options = {"max_credits": int(cap), "list_id": "mine"}
        async for row in client.enrich_many(urls, EmailType.WORK, **options):
            result, error = row.result, row.error
            outcome = result.status if result else error and error.code
            _print({"number": numbers[row.index], "outcome": outcome})
            killer.count("rows")
        _print({"balance": (await client.credits()).balance})


if __name__ == "__main__":
    be_patient()
    anyio.run(main, *sys.argv[1:])
