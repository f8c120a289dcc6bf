"""What a world is made of and what happens in it: all of it drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.simulation.network import NetworkFault
from tests.simulation.vendors import ENDS, HOSTS, TROUBLES

VERSION = "1"
"""Of the tokens: another plan, or another order of draws, is another version."""
PEOPLE = ("ada-okafor", "jonas-weiss", "mei-tanaka")
PROFILE = "https://www.linkedin.com/in/"
TYPES = ("work", "work", "work", "personal")
CREDITS = (1, 2, 10)
POINTS = 120
"""Events of an ordinary world: faults come at one of them."""


class Kind(StrEnum):
    """Who looks up."""

    EMBEDDED = "embedded"
    """Each face has the service in its own process, on one database."""
    TEAM = "team"
    """The faces are clients of a service elsewhere."""


class Event(StrEnum):
    """What happens to the processes, besides faults of the network."""

    KILL = "kill"
    STOP = "stop"
    """A process is told to end, and starts again."""
    CLOCK = "clock jumps"
    PARTITION = "partition"
    SLOW_DISK = "slow disk"
    DISK_FULL = "disk full"
    DISK_ERROR = "disk error"
    """A commit succeeds and reports an error."""
    GRANT = "grant"
    SUPPRESS = "suppress"
    ERASE = "erase"
    IMPORT = "import"
    REVOKE = "revoke"
    """The key of the faces is revoked; they get another one."""
    ROTATE = "rotate"
    """The team's signing secret is rotated."""


OF_OPERATOR = (
    Event.GRANT,
    Event.SUPPRESS,
    Event.ERASE,
    Event.IMPORT,
    Event.ROTATE,
)
FAULTS = (
    Event.KILL,
    Event.KILL,
    Event.KILL,
    Event.STOP,
    Event.CLOCK,
    Event.PARTITION,
    Event.SLOW_DISK,
    Event.DISK_FULL,
    Event.DISK_ERROR,
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A person's question at one face."""

    number: int
    face: int
    at: float
    person: str
    type: str
    wait: float
    refresh: bool
    has_callback: bool
    is_list: bool
    patience: float | None
    """Seconds after which the caller cancels; None: never."""

    @property
    def profile(self) -> str:
        return PROFILE + self.person


@dataclass(frozen=True, kw_only=True)
class Happening:
    """An event at a point of the trace."""

    point: int
    event: Event
    draw: float
    """Between 0 and 1: whom it hits, and how hard."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A world. Its token names it."""

    token: str
    kind: Kind
    faces: int
    services: int
    credits: int
    daily_budget: int | None
    questions: tuple[Question, ...]
    vendors: tuple[str, ...]
    ends: dict[tuple[str, str, str], str]
    """The ends of vendor, profile and type."""
    troubles: dict[str, tuple[str, ...]]
    exchanges: dict[int, NetworkFault]
    happenings: tuple[Happening, ...]
    callback_answers: tuple[int, ...]
    """The statuses of the receivers' first answers; 0: none comes. Then they answer 200."""
    order: int
    """The seed of the order."""


def plan(token: str) -> Plan:
    """The plan that a token names. Raises `ValueError` for another version's token."""
    version, kind, seed = token.split("-")
    if version != VERSION:
        raise ValueError(f"the token is of version {version}, this is {VERSION}")
    draw = Random(f"{kind}-{seed}")  # noqa: S311
    faces = draw.randint(1, 3)
    vendors = tuple(draw.sample(sorted(HOSTS), draw.randint(1, len(HOSTS))))
    return Plan(
        token=token,
        kind=Kind(kind),
        faces=faces,
        services=draw.choice((1, 1, 2)) if kind == Kind.TEAM else 0,
        credits=draw.choice((*CREDITS, 10)),
        daily_budget=draw.choice((None, None, None, 1, 2)),
        questions=tuple(_question(draw, n, faces) for n in range(draw.randint(1, 4))),
        vendors=vendors,
        ends=_ends(draw),
        troubles={name: tuple(draw.choices(list(TROUBLES), k=_few(draw))) for name in vendors},
        exchanges={draw.randrange(16): draw.choice(list(NetworkFault)) for _ in range(_few(draw))},
        happenings=tuple(
            Happening(point=draw.randrange(POINTS), event=event, draw=draw.random())
            for event in (
                *draw.choices(FAULTS, k=_few(draw)),
                *draw.choices(OF_OPERATOR, k=_few(draw)),
            )
        ),
        callback_answers=tuple(draw.choice((200, 503, 0, 410)) for _ in range(_few(draw))),
        order=draw.getrandbits(32),
    )


def token_of(seed: int) -> str:
    """The token of a fresh seed. Half of the worlds are of each kind."""
    kinds = tuple(Kind)
    return f"{VERSION}-{kinds[seed % len(kinds)]}-{seed}"


def _few(draw: Random) -> int:
    return draw.choice((0, 0, 0, 1, 1, 2))


def _question(draw: Random, number: int, faces: int) -> Question:
    return Question(
        number=number,
        face=draw.randrange(faces),
        at=draw.choice((0.0, 0.0, 0.0, 0.5, 30.0)),
        person=draw.choice(PEOPLE[: draw.choice((1, 3))]),
        type=draw.choice(TYPES),
        wait=draw.choice((0.0, 1.0, 50.0)),
        refresh=draw.random() < 0.1,
        has_callback=draw.random() < 0.4,
        is_list=draw.random() < 0.2,
        patience=draw.choice((None, None, None, 0.01, 2.0)),
    )


def _ends(draw: Random) -> dict[tuple[str, str, str], str]:
    ends = {}
    for vendor in HOSTS:
        for person in PEOPLE:
            for kind in ("work", "personal"):
                end = draw.choice(ENDS)
                if vendor == "findymail" and end != "miss":
                    end = "verified"  # it returns no others
                ends[vendor, PROFILE + person, kind] = end
    return ends
