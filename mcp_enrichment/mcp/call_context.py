"""The context of a call, which the handler of a tool gets besides the arguments."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """The progress of a list, in answered rows. Without a total, progress is counted in seconds."""

    done: int = 0
    total: int = 0

    def set(self, done: int, *, total: int) -> None:
        self.done, self.total = done, total


@dataclass(frozen=True, slots=True)
class CallContext:
    """One call of a tool."""

    started_at: float
    """When the call came, by the clock of the event loop: its waits count from then."""
    may_spend: bool = True
    """Whether a credit may be spent: not before the user has consented, if consent is required."""
    progress: Progress = field(default_factory=Progress)
