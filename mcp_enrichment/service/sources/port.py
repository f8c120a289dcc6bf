"""The one verb of a place where emails come from, and its four answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mcp_enrichment.contract.models import Reason

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """The source has an address of the kind that was asked for."""

    email: str
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Miss:
    """The source was asked and has none."""

    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unavailable:
    """The source could not be asked; it may be in `retry_after` seconds."""

    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Misconfigured:
    """The source refuses its key or its settings: asking again cannot help."""

    reason: Reason = Reason.SOURCES_MISCONFIGURED


Outcome = Hit | Miss | Unavailable | Misconfigured


class Source(Protocol):
    """A place where emails come from."""

    @property
    def name(self) -> str:
        """A short name, kept beside each answer as its provenance."""

    async def find(self, profile: str, kind: EmailType) -> Outcome:
        """Ask for the address of that kind of the person with this canonical profile URL."""
