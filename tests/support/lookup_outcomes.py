"""Every outcome of a source in a lookup, and the expected outcome of two of them."""

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
"""An address that `RejectsRoleAddresses` refuses."""
ANSWERS: dict[str, Outcome] = {
    **{v.value: Hit(email=f"{v}@example.com", verification=v) for v in Verification},
    "miss": Miss(),
    "unavailable": Unavailable(),
    "lost": Lost(why=LostReason.NO_ANSWER),
    "misconfigured": Misconfigured(),
    "refused": Hit(email=OFFICE, verification=Verification.VERIFIED),
}
LATER = "later-"
"""Prefix of the outcome of a vendor that works on it first."""
ENDS = [*ANSWERS, *(LATER + end for end in ANSWERS if end != "unavailable")]
FAILURES = {
    "lost": "answer-lost",
    "unavailable": "sources-unavailable",
    "misconfigured": "sources-misconfigured",
}
"""The reason of a failed request, by what a source returned; the first that applies is reported."""


class RejectsRoleAddresses:
    """An address check."""

    async def find_defect(self, email: str) -> AddressDefect | None:
        return AddressDefect.ROLE if email == OFFICE else None


@dataclass(frozen=True, kw_only=True)
class LookupOutcome:
    """The outcome of a request."""

    status: str
    reason: str | None = None
    email: str | None = None
    verification: str | None = None
    source: str | None = None


def vendor_with_outcome(end: str, name: str) -> ScriptedVendor:
    """A vendor with this outcome."""
    answer = ANSWERS[end.removeprefix(LATER)]
    if end.startswith(LATER):
        begun = InProgress(job_id=f"ticket-of-{name}", poll_after=20.0)
        return scripted_vendor(begun, tells=(begun, Unavailable(), answer), name=name)
    return scripted_vendor(answer, name=name)


def expected_outcome(ends: dict[str, str]) -> LookupOutcome:
    """The expected outcome of a request, from the vendors' outcomes in order."""
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
    """Whether no source is called after it."""
    return end.removeprefix(LATER) in ("verified", "own-data")


async def run_to_completion(it: RunningService, request_id: str, clock: Clock) -> LookupOutcome:
    """Run the job whenever it is due, until the request is final."""
    job = Job(kind=JobKind.LOOK_UP, target_id=request_id, team_id=it.team_id)
    for _ in range(100):
        again = await look_up(it.service, job)
        if again is None:
            return await outcome_of(it, request_id)
        clock.now += again.seconds
    raise AssertionError("it never ends")


async def outcome_of(it: RunningService, request_id: str) -> LookupOutcome:
    """The outcome of the request, as HTTP reports it."""
    body = (await it.get(request_id)).json()
    return LookupOutcome(
        status=body["status"],
        reason=body.get("reason"),
        email=(body.get("email") or {}).get("email"),
        verification=body.get("verification"),
        source=body.get("source"),
    )
