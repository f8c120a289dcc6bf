"""A service with two vendors, in a separate process that a test kills.

`python -m tests.support.paid_vendors_service PLACE LEDGER HANGS [SECONDS]`: each vendor appends its
name to LEDGER, a file, when it is paid; the vendor HANGS then never answers. `SECONDS` is how far
its clock is ahead.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.models import EmailType, Verification
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.queue import procrastinate_worker
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
from mcp_enrichment.service.sources.base import Hit, Terms
from tests.support.databases import named, open_place
from tests.support.running_service import ANY_LOOPBACK, engine_of

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import Outcome

MAYBE = Hit(email="maybe@example.com")
SURE = Hit(email="sure@example.com", verification=Verification.VERIFIED)


@dataclass
class Paid:
    """A vendor that is paid as soon as it is called."""

    name: str
    answer: Outcome
    ledger: Path
    hangs: bool
    terms = Terms(hit=1)
    email_types = frozenset(EmailType)

    async def find(self, _profile: str, _email_type: EmailType) -> Outcome:
        with self.ledger.open("a") as ledger:
            ledger.write(f"{self.name}\n")
            ledger.flush()
            os.fsync(ledger.fileno())
        if self.hangs:
            await anyio.sleep_forever()
        return self.answer


async def main() -> None:
    place, ledger, hangs = named(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    ahead = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
    # The jobs of a killed process are soon requeued.
    (
        procrastinate_worker.HEARTBEAT,
        procrastinate_worker.WORKER_TIMEOUT,
        procrastinate_worker.SWEEP,
    ) = 0.3, 2.0, 0.3
    answers = {"first": MAYBE, "second": SURE}
    database, engine = open_place(place), engine_of(place)
    service = ServiceContext(
        database=database,
        sources=[Paid(name, said, ledger, name == hangs) for name, said in answers.items()],  # type: ignore[misc]
        sender=CallbackSender(ANY_LOOPBACK),
        callback_policy=ANY_LOOPBACK,
        completion_waiter=CompletionWaiter(database),
        wake=engine.wake,
        lease_lookup=engine.lease_lookup,
        clock=lambda: time.time() + ahead,
    )
    await engine.run(service)


if __name__ == "__main__":
    anyio.run(main)
