"""Sandbox profiles: the name of the profile determines the outcome, for tests of integrations.

`sandbox-found`, `sandbox-slow-20` (found after 20 s), `sandbox-not-found`, `sandbox-failed`,
`sandbox-no-credits` and `sandbox-rate-limited` (refused at once), `sandbox-callback-fails-twice`
(found; two attempts of the callback fail). Any other name is a normal profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.errors import EnrichmentError, InsufficientCredits, RateLimited
from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.sources.base import Hit, Misconfigured, Miss

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType

RETRY_AFTER = 30.0
"""Seconds in the `Retry-After` of a refusal."""
FAILED_ATTEMPTS = 2


class Scenario(StrEnum):
    """The outcome that a profile is named after."""

    FOUND = "found"
    SLOW = "slow"
    NOT_FOUND = "not-found"
    FAILED = "failed"
    NO_CREDITS = "no-credits"
    RATE_LIMITED = "rate-limited"
    CALLBACK_FAILS_TWICE = "callback-fails-twice"


_SANDBOX_PROFILE = re.compile(
    rf".*/in/sandbox-(?P<scenario>{'|'.join(Scenario)})(?:(?<=slow)-(?P<seconds>[0-9]{{1,3}}))?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxCase:
    """The outcome of one sandbox profile."""

    scenario: Scenario
    seconds: float = 0.0
    """The duration of the lookup."""

    @property
    def refusal(self) -> EnrichmentError | None:
        """The error of the POST, if it is refused."""
        if self.scenario is Scenario.NO_CREDITS:
            return InsufficientCredits()
        is_limited = self.scenario is Scenario.RATE_LIMITED
        return RateLimited(retry_after=RETRY_AFTER) if is_limited else None

    def fails_attempt(self, number: int) -> bool:
        return self.scenario is Scenario.CALLBACK_FAILS_TWICE and number <= FAILED_ATTEMPTS


def sandbox_case(profile: str) -> SandboxCase | None:
    """The sandbox case of the profile with this canonical URL; None for a normal one."""
    found = _SANDBOX_PROFILE.fullmatch(profile)
    if found is None or (found["scenario"] == Scenario.SLOW) is (found["seconds"] is None):
        return None
    return SandboxCase(scenario=Scenario(found["scenario"]), seconds=float(found["seconds"] or 0))


@dataclass(frozen=True, slots=True)
class SandboxSource:
    """Returns the outcome of a sandbox case, with emails at the reserved example.com (RFC 2606)."""

    case: SandboxCase
    name: str = "sandbox"

    async def find(self, profile: str, email_type: EmailType) -> Hit | Miss | Misconfigured:
        await anyio.sleep(self.case.seconds)
        if self.case.scenario is Scenario.NOT_FOUND:
            return Miss(reason=Reason.SANDBOX)
        if self.case.scenario is Scenario.FAILED:
            return Misconfigured(reason=Reason.SANDBOX)
        person = profile.rpartition("/")[2]
        return Hit(email=f"{person}.{email_type}@example.com", reason=Reason.SANDBOX)
