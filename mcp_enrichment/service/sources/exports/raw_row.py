"""A row or a card as its file has it, before anything is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.contract.models import EmailType


class RawEmail(NamedTuple):
    """A cell of addresses, and what stands beside it."""

    text: str
    kind: EmailType | None
    """As its title or its label says."""
    is_doubtful: bool = False
    """Whether the export says that it is a guess."""
    is_others: bool = False
    """Whether the export says that it is somebody else's."""


class RawRow(NamedTuple):
    """Texts, of which any may be empty."""

    first_name: str
    last_name: str
    full_name: str
    company: str
    position: str
    connected_on: str
    changed_at: str
    profiles: Sequence[str]
    """What may be the profile's URL, the likeliest first."""
    emails: Sequence[RawEmail]
    """Those that hold something, the main one first."""
