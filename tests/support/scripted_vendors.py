"""Vendors with scripted answers, which record their calls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.base import Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_enrichment.service.sources.base import InProgress, Misconfigured, Outcome, Unavailable

PRICE = 2.0
BOTH = frozenset(EmailType)


def _nothing() -> None:
    """Do nothing."""


@dataclass(kw_only=True)
class ScriptedVendor:
    """A vendor: `says` has its answers to lookups and `tells` those to polls, in this order; the
    last one is repeated. Its records outlive the calling process, as at a real vendor."""

    name: str = "vendor"
    says: deque[Outcome | InProgress]
    tells: deque[Outcome | InProgress] = field(default_factory=deque)
    terms: Terms = field(default_factory=lambda: Terms(hit=PRICE))
    email_types: frozenset[EmailType] = BOTH
    verified_on: str | None = None
    asked: list[str] = field(default_factory=list)
    collected: list[str] = field(default_factory=list)
    interrupt: Callable[[], None] = _nothing
    """Called before a call arrives, and before its answer does."""

    async def find(self, profile: str, _email_type: EmailType) -> Outcome | InProgress:
        self.interrupt()
        self.asked.append(profile)
        answer = _next(self.says)
        self.interrupt()
        return answer

    async def collect(self, job_id: str, _email_type: EmailType) -> Outcome | InProgress:
        self.interrupt()
        self.collected.append(job_id)
        answer = _next(self.tells)
        self.interrupt()
        return answer

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return 99.0

    async def aclose(self) -> None:
        self.asked.append("closed")


def scripted_vendor(
    *says: Outcome | InProgress,
    name: str = "vendor",
    tells: tuple[Outcome | InProgress, ...] = (),
    **more: object,
) -> ScriptedVendor:
    """A vendor with these answers."""
    return ScriptedVendor(name=name, says=deque(says), tells=deque(tells), **more)  # type: ignore[arg-type]


def _next(answers: deque[Outcome | InProgress]) -> Outcome | InProgress:
    return answers.popleft() if len(answers) > 1 else answers[0]
