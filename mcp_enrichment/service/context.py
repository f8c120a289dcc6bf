"""What every verb of the service works with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.service.callbacks.callback_table import AttemptOutcome
from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
from mcp_enrichment.service.sources.sandbox import SandboxSource, sandbox_case

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
    from mcp_enrichment.service.sources.base import AddressCheck, Source
    from mcp_enrichment.service.sources.sandbox import SandboxCase

DELIVERY_DELAYS = (0.0, 5.0, 30.0)
"""Seconds before each of the three tries of a callback, counted from the end of the one before."""


class Sender(Protocol):
    """Posts a callback's body and says how that went; it never raises for what the far end does."""

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> DeliveryResult:
        """One try."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryResult:
    """How one try of a callback ended."""

    outcome: AttemptOutcome
    http_status: int | None = None
    may_try_again: bool = True
    retry_after: float | None = None
    """Seconds that the receiver asked to wait."""

    @property
    def delivered(self) -> bool:
        return self.outcome is AttemptOutcome.DELIVERED


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """For how many seconds what is known about people is kept; None: until it is erased."""

    answers: float | None = 90 * 86_400.0
    """From a request's end on."""
    contacts: float | None = None
    """From a contact's import on."""


def _no_worker() -> None:
    """A process without a runner leaves its jobs to those that have one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceContext:
    """One service over one database."""

    database: Database
    sources: Sequence[Source]
    sender: Sender
    callback_rules: CallbackURLPolicy
    completion_waiter: CompletionWaiter
    delivery_delays: Sequence[float] = DELIVERY_DELAYS
    clock: Callable[[], float] = time.time
    wake: Callable[[], None] = field(default=_no_worker)
    """Called after a transaction that left a job to do."""
    source_limiter: SourceLimiter = field(default_factory=SourceLimiter)
    shutdown: GracefulShutdown = field(default_factory=GracefulShutdown)
    check: AddressCheck | None = None
    """What an address is looked at with before it is told."""
    retention: Retention = Retention()
    sandbox: bool = False
    """Whether profiles named `sandbox-…` are played."""

    def sandbox_case(self, profile: str) -> SandboxCase | None:
        """What is played for this profile, in the test mode."""
        return sandbox_case(profile) if self.sandbox else None

    def sources_for(self, profile: str) -> Sequence[Source]:
        """Whom to ask about this profile, in order."""
        scene = self.sandbox_case(profile)
        return [SandboxSource(scene)] if scene else self.sources
