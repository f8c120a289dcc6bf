"""The dependencies of the service's operations."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.service.lookup.source_limiter import SourceLimiter
from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
from mcp_enrichment.service.sources.sandbox import sandbox_case

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
    from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.queue.job import NewLookup
    from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
    from mcp_enrichment.service.sources.base import Source
    from mcp_enrichment.service.sources.email_checks import EmailChecks
    from mcp_enrichment.service.sources.sandbox import SandboxCase

DELIVERY_DELAYS = (0.0, 5.0, 30.0)
"""Seconds before each of the three attempts of a callback, from the end of the previous one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """Seconds for which personal data is kept; None: until it is erased."""

    answers: float | None = 90 * DAY
    """After the completion of a request."""
    contacts: float | None = None
    """After the import of a contact."""


def _no_room(_request_id: str, _team_id: int) -> None:
    """A process without a worker has no room for a lookup."""


def _no_worker() -> None:
    """A process without a worker leaves its jobs to other processes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceContext:
    """One service over one database."""

    database: Database
    sources: Sequence[Source]
    sender: CallbackSender
    callback_policy: CallbackURLPolicy
    completion_waiter: CompletionWaiter
    delivery_delays: Sequence[float] = DELIVERY_DELAYS
    clock: Callable[[], float] = time.time
    wake: Callable[[], None] = field(default=_no_worker)
    """Called after a transaction that has added a job."""
    lease_lookup: Callable[[str, int], NewLookup | None] = field(default=_no_room)
    """Leases the lookup of a new request, of a team, to this process; None if it has no room."""
    source_limiter: SourceLimiter = field(default_factory=SourceLimiter)
    shutdown: GracefulShutdown = field(default_factory=GracefulShutdown)
    check: EmailChecks | None = None
    """Checks an address before it is disclosed."""
    retention: Retention = Retention()
    sandbox: bool = False
    """Whether profiles named `sandbox-…` have scripted results."""

    def sandbox_case(self, profile: str) -> SandboxCase | None:
        """The scripted result of this profile, in the sandbox."""
        return sandbox_case(profile) if self.sandbox else None
