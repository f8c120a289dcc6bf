"""The limit on the lookups at a source. A setting gives it, or the class of the vendor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceLimit:
    """The limit of a source, for all processes together. None: no limit."""

    at_once: Annotated[int, Field(ge=1)] | None = None
    """Lookups under way at the same time."""
    per_second: Annotated[float, Field(gt=0)] | None = None
    """Lookups that may begin in a second."""
