"""What every verb of the service works with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.service.domain.stopping import Stopping
from mcp_enrichment.service.domain.turns import Turns
from mcp_enrichment.service.sources.sandbox import SandboxSource, scene_of
from mcp_enrichment.service.store.callbacks import TryOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mcp_enrichment.service.domain.addresses import CallbackRules
    from mcp_enrichment.service.domain.finals import Finals
    from mcp_enrichment.service.sources.port import AddressCheck, Source
    from mcp_enrichment.service.sources.sandbox import Scene
    from mcp_enrichment.service.store.database import Database

DELIVERY_DELAYS = (0.0, 5.0, 30.0)
"""Seconds before each of the three tries of a callback, counted from the end of the one before."""


class Sender(Protocol):
    """Posts a callback's body and says how that went; it never raises for what the far end does."""

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Sent:
        """One try."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """How one try of a callback ended."""

    outcome: TryOutcome
    http_status: int | None = None
    may_try_again: bool = True
    retry_after: float | None = None
    """Seconds that the receiver asked to wait."""

    @property
    def delivered(self) -> bool:
        return self.outcome is TryOutcome.DELIVERED


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """For how many seconds what is known about people is kept; None: until it is erased."""

    answers: float | None = 90 * 86_400.0
    """From a request's end on."""
    contacts: float | None = None
    """From a contact's import on."""


def _nobody_to_wake() -> None:
    """A process without a runner leaves its jobs to those that have one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One service over one database."""

    database: Database
    sources: Sequence[Source]
    sender: Sender
    callback_rules: CallbackRules
    finals: Finals
    delivery_delays: Sequence[float] = DELIVERY_DELAYS
    clock: Callable[[], float] = time.time
    wake: Callable[[], None] = field(default=_nobody_to_wake)
    """Called after a transaction that left a job to do."""
    turns: Turns = field(default_factory=Turns)
    stopping: Stopping = field(default_factory=Stopping)
    check: AddressCheck | None = None
    """What an address is looked at with before it is told."""
    retention: Retention = Retention()
    sandbox: bool = False
    """Whether profiles named `sandbox-…` are played."""

    def scene_of(self, profile: str) -> Scene | None:
        """What is played for this profile, in the test mode."""
        return scene_of(profile) if self.sandbox else None

    def sources_for(self, profile: str) -> Sequence[Source]:
        """Whom to ask about this profile, in order."""
        scene = self.scene_of(profile)
        return [SandboxSource(scene)] if scene else self.sources
