"""People whose lookup ends as their profile's name says, so that an integrator can force each end.

`sandbox-found`, `sandbox-slow-20` (found after 20 s), `sandbox-not-found`, `sandbox-failed`,
`sandbox-no-credits` and `sandbox-rate-limited` (refused at once), `sandbox-callback-fails-twice`
(found; two tries of the callback fail). Every other name is an ordinary one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.errors import EnrichmentError, InsufficientCredits, RateLimited
from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.sources.port import Hit, Misconfigured, Miss

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType

RETRY_AFTER = 30.0
"""Seconds that a refused caller is asked to wait."""
FAILING_TRIES = 2

_SCENE = re.compile(
    r".*/in/sandbox-(?P<scene>found|slow|not-found|failed|no-credits|rate-limited"
    r"|callback-fails-twice)(?:(?<=slow)-(?P<seconds>[0-9]{1,3}))?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What is played for one profile."""

    name: str
    seconds: float = 0.0
    """How long the lookup takes."""

    @property
    def refusal(self) -> EnrichmentError | None:
        """What the POST is refused with."""
        if self.name == "no-credits":
            return InsufficientCredits()
        return RateLimited(retry_after=RETRY_AFTER) if self.name == "rate-limited" else None

    def fails_try(self, number: int) -> bool:
        """Whether this try of the callback is to fail."""
        return self.name == "callback-fails-twice" and number <= FAILING_TRIES


def scene_of(profile: str) -> Scene | None:
    """What is to be played for the profile with this canonical URL; None for an ordinary one."""
    found = _SCENE.fullmatch(profile)
    if found is None or (found["scene"] == "slow") is (found["seconds"] is None):
        return None
    return Scene(name=found["scene"], seconds=float(found["seconds"] or 0))


@dataclass(frozen=True, slots=True)
class SandboxSource:
    """Plays a scene. Its addresses are at example.com, which belongs to nobody (RFC 2606)."""

    scene: Scene
    name: str = "sandbox"

    async def find(self, profile: str, kind: EmailType) -> Hit | Miss | Misconfigured:
        await anyio.sleep(self.scene.seconds)
        if self.scene.name == "not-found":
            return Miss(reason=Reason.SANDBOX)
        if self.scene.name == "failed":
            return Misconfigured(reason=Reason.SANDBOX)
        person = profile.rpartition("/")[2]
        return Hit(email=f"{person}.{kind}@example.com", reason=Reason.SANDBOX)
