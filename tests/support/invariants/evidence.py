"""The evidence of a run: the tables of the service, and what its callers, vendors and receivers of
callbacks have recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

Rows: TypeAlias = Callable[..., Sequence[tuple[Any, ...]]]
"""Runs a query, and returns its rows. The further arguments are the values for its question
marks."""
WITHHELD = ("suppressed", "erased", "expired")
"""Reasons for which an address is not given out, though it was found and paid for."""


class Question(NamedTuple):
    """What a team asks for."""

    team_id: int
    profile: str
    """The canonical profile URL."""
    email_type: str


class Said(StrEnum):
    """The answer of a vendor."""

    HIT = "hit"
    MISS = "miss"
    """The vendor has no address, or only one of the other type."""
    NOTHING = "nothing"
    """An outage, an error, an answer that cannot be read, or none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorAnswer:
    """A call that reached a vendor, as the vendor recorded it: a search, or a poll of its job."""

    vendor: str
    profile: str
    email_type: str
    said: Said
    is_charged: bool = False
    at: float = 0.0
    """When the call arrived, in seconds since the epoch, by the service's clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedCallback:
    """A callback that reached its receiver."""

    url: str
    headers: Mapping[str, str]
    """The names are in lower case."""
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An answer that a caller got: a result, or an error."""

    caller: str
    """The name of the caller in violations."""
    question: Question
    request_id: str | None = None
    status: str | None = None
    email: str | None = None
    reason: str | None = None
    error: str | None = None
    """The code of the error, as in `outcome_unknown`."""
    is_unknown: bool = False
    """Whether the outcome may really be unknown: the answer to a POST may be lost, or its sender
    dead."""
    asked_at: float = 0.0
    """When the call that was answered began, in seconds since the epoch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The limits of a user, in credits; nobody else spends credits of the team. None: no limit."""

    team_id: int
    daily: int | None = None
    reserve: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cap:
    """The cap of a list, in credits. Nobody else of the team asks about its profiles."""

    team_id: int
    profiles: Collection[str]
    max_credits: int


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a run. A field that is left empty is unknown: invariants do not check it."""

    rows: Rows
    """Queries the database of the service."""
    granted: Mapping[int, int] = field(default_factory=dict)
    """The credits that each team was given, by its id: grants and corrections."""
    perhaps_granted: Mapping[int, int] = field(default_factory=dict)
    """Further credits by team, of grants whose outcome the operator does not know."""
    vendor_answers: Sequence[VendorAnswer] = ()
    addresses: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The addresses of each person, in any spelling that a source may use, by canonical profile."""
    payments_meant: Mapping[Question, int] = field(default_factory=dict)
    """How often a question may be paid for: once, unless its callers have asked for more by a
    refresh, by clearing their memory, or by several keys."""
    told: Sequence[Told] = ()
    callbacks: Sequence[ReceivedCallback] = ()
    suppressed: Mapping[str, float] = field(default_factory=dict)
    """Profiles and addresses, and since when they are suppressed. A lifted one is left out."""
    erased: Collection[str] = ()
    """Texts about erased people that must not be stored: profiles, addresses, names, references."""
    files: Callable[[], Iterable[tuple[str, bytes]]] = tuple
    """Returns the names and contents of all files in which erased texts must not be."""
    budgets: Sequence[Budget] = ()
    caps: Sequence[Cap] = ()
    is_calm: bool = False
    """Whether no process has died, stopped or been slow so far, no disk has failed, and no clock
    has jumped."""
    leases: dict[tuple[str, str], str] = field(default_factory=dict)
    """The worker of each job. `a_job_has_one_worker` updates it, so it must be the same object in
    the whole run."""
    unanswered: Collection[str] = ()
    """The names of callers that still wait for an answer, when everything should have ended."""
