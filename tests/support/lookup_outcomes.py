"""Every way in which a source's part of a lookup can end, and what two of them come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import Verification
from mcp_enrichment.service.lookup.lookup_job import look_up
from mcp_enrichment.service.queue.job import Job, JobKind
from mcp_enrichment.service.sources.base import (
    AddressDefect,
    Hit,
    InProgress,
    Lost,
    LostReason,
    Misconfigured,
    Miss,
    Unavailable,
)
from tests.support.scripted_vendors import scripted_vendor

if TYPE_CHECKING:
    from mcp_enrichment.service.sources.base import Outcome
    from tests.support.running_service import Clock, RunningService
    from tests.support.scripted_vendors import ScriptedVendor

OFFICE = "info@example.com"
"""What `RejectsRoleAddresses` does not let through."""
ANSWERS: dict[str, Outcome] = {
    **{v.value: Hit(email=f"{v}@example.com", verification=v) for v in Verification},
    "miss": Miss(),
    "unavailable": Unavailable(),
    "lost": Lost(why=LostReason.NO_ANSWER),
    "misconfigured": Misconfigured(),
    "refused": Hit(email=OFFICE, verification=Verification.VERIFIED),
}
LATER = "later-"
"""Before the end of a vendor that has worked on it first."""
ENDS = [*ANSWERS, *(LATER + end for end in ANSWERS if end != "unavailable")]
FAILURES = {
    "lost": "answer-lost",
    "unavailable": "sources-unavailable",
    "misconfigured": "sources-misconfigured",
}
"""By what a source said; which comes first is told first."""


class RejectsRoleAddresses:
    """An address check."""

    async def find_defect(self, email: str) -> AddressDefect | None:
        return AddressDefect.ROLE if email == OFFICE else None


@dataclass(frozen=True, kw_only=True)
class LookupOutcome:
    """How a request has ended."""

    status: str
    reason: str | None = None
    email: str | None = None
    verification: str | None = None
    source: str | None = None


def vendor_with_outcome(end: str, name: str) -> ScriptedVendor:
    """A vendor whose part ends so."""
    answer = ANSWERS[end.removeprefix(LATER)]
    if end.startswith(LATER):
        begun = InProgress(ticket=f"ticket-of-{name}", poll_after=20.0)
        return scripted_vendor(begun, tells=(begun, Unavailable(), answer), name=name)
    return scripted_vendor(answer, name=name)


def expected_outcome(ends: dict[str, str]) -> LookupOutcome:
    """What these ends, by the names of the vendors in order, come to."""
    plain = {name: end.removeprefix(LATER) for name, end in ends.items()}
    for wanted in (("verified", "own-data"), ("unverified",), ("catch-all",), ("inferred",)):
        for name, end in plain.items():
            if end in wanted:
                email = f"{end}@example.com"
                return LookupOutcome(status="completed", email=email, verification=end, source=name)
    for failure, reason in FAILURES.items():
        if failure in plain.values():
            return LookupOutcome(status="failed", reason=reason)
    return LookupOutcome(status="not-found")


def wins(end: str) -> bool:
    """Whether nobody is asked after it."""
    return end.removeprefix(LATER) in ("verified", "own-data")


async def run_to_completion(it: RunningService, request_id: str, clock: Clock) -> LookupOutcome:
    """Run the job whenever it is due, until the request has ended."""
    job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
    for _ in range(100):
        again = await look_up(it.service, job)
        if again is None:
            return await outcome_of(it, request_id)
        clock.now += again.seconds
    raise AssertionError("it never ends")


async def outcome_of(it: RunningService, request_id: str) -> LookupOutcome:
    """How it has ended, as the wire tells it."""
    body = (await it.get(request_id)).json()
    return LookupOutcome(
        status=body["status"],
        reason=body.get("reason"),
        email=(body.get("email") or {}).get("email"),
        verification=body.get("verification"),
        source=body.get("source"),
    )
