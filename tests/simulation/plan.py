"""The plan of a world: its programs, questions, faults and events, all drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.simulation.network import NetworkFault
from tests.simulation.receivers import DIES
from tests.simulation.vendors import ENDS, HOSTS, PROFILE, TROUBLES

__all__ = ["PROFILE", "Plan", "plan", "token_of"]

VERSION = "3"
"""The version of the tokens. It changes when the same seed would give another plan."""
EPOCH = 1_800_000_000.0
"""The start of each world, in seconds since the epoch."""
PEOPLE = ("ada-okafor", "jonas-weiss", "mei-tanaka")
LISTED = ("noor-haddad", "emil-sorensen")
"""People that are in lists only."""
ERAS = ("auto", "legacy")
SHARE_OF_MCP = 0.15
"""The share of worlds whose callers are MCP clients: few, as MCP doubles the time of a world."""
TYPES = ("work", "work", "work", "personal")
CREDITS = (1, 2, 10)
POINTS = (20, 50, 120)
"""Bounds, in lines of the trace, below which the point of an event is drawn: for short and long
worlds."""


class Kind(StrEnum):
    """Where the service runs."""

    EMBEDDED = "embedded"
    """Each face has the service in its own process, on one database."""
    TEAM = "team"
    """The faces are clients of a service elsewhere, for two teams."""


class Asks(StrEnum):
    """The way in which a person asks."""

    ONE = "one"
    LIST = "list"
    SCRIPT = "script"
    """A script over HTTP with an API key, without our client."""


class Event(StrEnum):
    """A fault, or an action of the operator. Faults of the network are `NetworkFault`."""

    KILL = "kill"
    KILL_AT_WRITE = "kill before a write"
    POWER_CUT = "power cut"
    STOP = "stop"
    """A process gets the signal to end, and is started again."""
    CLOCK = "clock jumps"
    PARTITION = "partition"
    SLOW_THREADS = "slow threads"
    DISK_FULL = "disk full"
    DISK_ERROR = "disk error"
    GRANT = "grant"
    SUPPRESS = "suppress"
    ERASE = "erase"
    IMPORT = "import"
    REVOKE = "revoke"
    """The key of a team's scripts is revoked; there is another one for them."""
    ROTATE = "rotate"
    """The team's signing secret is rotated."""


UNKNOWN = (
    NetworkFault.SILENT,
    NetworkFault.CUT_AFTER,
    NetworkFault.GATEWAY,
    NetworkFault.GATEWAY,
    NetworkFault.SLOW,
)
"""Faults of a POST that arrives, and whose sender does not know that."""
LONG = 12
"""POSTs in a row that fail: more than one call sends."""
LATE = {NetworkFault.SLOW, NetworkFault.TWICE}
"""Faults with which a POST may arrive after its caller has an answer."""
BY_OPERATOR = (
    Event.GRANT,
    Event.SUPPRESS,
    Event.ERASE,
    Event.ERASE,
    Event.IMPORT,
    Event.REVOKE,
    Event.ROTATE,
)
FAULTS = (
    *3 * (Event.KILL,),
    *2 * (Event.KILL_AT_WRITE,),
    Event.POWER_CUT,
    Event.STOP,
    Event.CLOCK,
    Event.PARTITION,
    Event.SLOW_THREADS,
    Event.DISK_FULL,
    Event.DISK_ERROR,
)


class Theme(StrEnum):
    """The kind of events that a world has more of. Without themes, two rare events hardly meet."""

    NOTHING = "nothing"
    NETWORK = "network"
    MACHINES = "machines"
    CALLBACKS = "callbacks"
    OPERATOR = "operator"
    LISTS = "lists"
    CROWD = "crowd"
    """Several faces are asked the same at once."""


TIMES = {Theme.CROWD: (0.0,), Theme.NETWORK: (0.0, 0.5, 12.0, 40.0)}
"""Seconds at which people ask: at once, or when the POST of another one has failed."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A caller's question. Its face is the program of the product that the caller uses
    (`roles.py`)."""

    number: int
    face: int
    how: Asks
    at: float
    people: tuple[str, ...]
    type: str
    wait: float
    refresh: bool
    has_callback: bool
    again: bool
    """The person asks a second time after the final answer."""
    patience: float | None
    """Seconds after which the first call is cancelled; None: never."""


@dataclass(frozen=True, kw_only=True)
class Happening:
    """An event, and when it is injected: once the trace has `point` lines."""

    point: int
    event: Event
    draw: float
    """A number from 0 to 1 that decides its target and its size."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is drawn for one world. The same token gives the same plan."""

    token: str
    kind: Kind
    faces: tuple[int, ...]
    """The team of each face, as an index: 0 or 1."""
    services: int
    credits: int
    daily_budget: int | None
    reserve: int | None
    questions: tuple[Question, ...]
    vendors: tuple[str, ...]
    ends: dict[tuple[str, str, str], str]
    """The outcome (`ENDS`) of each vendor, person and type."""
    troubles: dict[str, tuple[str, ...]]
    """The failures (`TROUBLES`) of each vendor's first searches."""
    vendor_seconds: tuple[float, ...]
    """Seconds of virtual time to an answer of a vendor: one of these is drawn each time."""
    exchanges: dict[int, NetworkFault]
    """The faults of the network, by the number of the exchange."""
    posts: tuple[NetworkFault | None, ...]
    """The faults of the first POSTs to the team's service, in addition to those of `exchanges`."""
    is_known: bool
    """Whether the state files say from the start that the service recognises a repeated POST."""
    happenings: tuple[Happening, ...]
    callback_answers: tuple[int, ...]
    """The HTTP statuses of the receiver's first answers, the last one first; 0: no answer; `DIES`.
    Then 200."""
    order: int
    """The seed for the order of steps, and for all that is drawn while the world runs."""
    era: str | None
    """The faces are MCP servers, and this is the `mode` of the SDK's clients. None: the faces are
    programs with our client."""


def plan(token: str) -> Plan:
    """The plan that a token names. Raises `ValueError` for another version's token."""
    version, kind, seed = token.split("-")
    if version != VERSION:
        raise ValueError(f"the token is of version {version}, this is {VERSION}")
    draw = Random(f"{kind}-{seed}")  # noqa: S311
    theme = draw.choice(tuple(Theme))
    is_team = Kind(kind) is Kind.TEAM
    is_crowd = theme is Theme.CROWD
    teams = (0,) if is_crowd else (0, 0, 1)
    faces = tuple(draw.choice(teams) * is_team for _ in range(draw.randint(1 + is_crowd, 3)))
    vendors = tuple(draw.sample(sorted(HOSTS), draw.randint(1, len(HOSTS))))
    questions = _questions(draw, theme, len(faces), is_team=is_team)
    exchanges = {
        draw.randrange(16): draw.choice(list(NetworkFault))
        for _ in range(_few(draw, much=theme is Theme.NETWORK))
    }
    posts = _posts(draw, much=theme in (Theme.NETWORK, Theme.CROWD))
    reserve = draw.choice((None, None, None, None, 1)) if theme is not Theme.NETWORK else None
    return Plan(
        token=token,
        kind=Kind(kind),
        faces=faces,
        services=draw.choice((1, 1, 2)) if is_team else 0,
        credits=draw.choice((*CREDITS, 10)) if reserve is None else 2,
        daily_budget=draw.choice((None, 1) if theme is Theme.NETWORK else (None, None, None, 1, 2)),
        reserve=reserve,
        questions=questions,
        vendors=vendors,
        ends=_ends(draw),
        troubles={name: tuple(draw.choices(list(TROUBLES), k=_few(draw))) for name in vendors},
        vendor_seconds=draw.choice(((0.0, 0.1, 5.0), (0.1, 40.0))),
        exchanges=exchanges,
        posts=posts,
        is_known=draw.random() < 0.5,
        happenings=_happenings(draw, theme, {*exchanges.values(), *posts}),
        callback_answers=tuple(
            draw.choice((200, 503, 503, 0, 410, DIES))
            for _ in range(2 * _few(draw, much=theme is Theme.CALLBACKS))
        ),
        order=draw.getrandbits(32),
        era=_era(draw, questions),
    )


def token_of(seed: int) -> str:
    """The token of a fresh seed. The worlds of each kind are equally many."""
    kinds = tuple(Kind)
    return f"{VERSION}-{kinds[seed % len(kinds)]}-{seed}"


def _era(draw: Random, questions: tuple[Question, ...]) -> str | None:
    if draw.random() > SHARE_OF_MCP or any(one.how is Asks.LIST for one in questions):
        return None
    return draw.choice(ERAS)


def _few(draw: Random, *, much: bool = False) -> int:
    return draw.choice((2, 3, 4) if much else (0, 0, 0, 1, 1, 2))


def _posts(draw: Random, *, much: bool) -> tuple[NetworkFault | None, ...]:
    """One POST arrives, and nobody says so; those after it may be refused, or meet the same."""
    if draw.random() > (0.9 if much else 0.1):
        return ()
    first = draw.choice(UNKNOWN)
    then = draw.choice((first, NetworkFault.OUTAGE, NetworkFault.REFUSED))
    return (*draw.choice(((), (), (None,))), first, *draw.choice((0, LONG, LONG)) * (then,))


def _questions(draw: Random, theme: Theme, faces: int, *, is_team: bool) -> tuple[Question, ...]:
    number = draw.randint(1 + (theme is Theme.CROWD), 4)
    ways = [*6 * [Asks.ONE], *2 * [Asks.SCRIPT] * is_team]
    hows = [draw.choice(ways) for _ in range(number)]
    if draw.random() < (1 if theme is Theme.LISTS else 0.05):
        hows[:2] = [Asks.LIST] * min(number, draw.randint(1, 2))  # runs of the same list
    return tuple(_question(draw, theme, n, how, faces) for n, how in enumerate(hows))


def _question(draw: Random, theme: Theme, number: int, how: Asks, faces: int) -> Question:
    is_crowd = theme is Theme.CROWD
    person = draw.choice(PEOPLE[: 1 if is_crowd else draw.choice((1, 3))])
    return Question(
        number=number,
        face=draw.randrange(faces),
        how=how,
        at=draw.choice(TIMES.get(theme, (0.0, 0.0, 0.0, 0.5, 12.0))),
        people=LISTED[:: draw.choice((1, -1))] if how is Asks.LIST else (person,),
        type=TYPES[0] if is_crowd else draw.choice(TYPES),
        wait=draw.choice((0.0, 1.0, 50.0)),
        refresh=how is Asks.ONE and draw.random() < 0.1,
        has_callback=draw.random() < (0.9 if theme is Theme.CALLBACKS else 0.4),
        again=draw.random() < 0.3,
        patience=draw.choice((None, None, None, 0.01, 2.0)),
    )


def _happenings(
    draw: Random, theme: Theme, faults: set[NetworkFault | None]
) -> tuple[Happening, ...]:
    events = [
        *draw.choices(FAULTS, k=_few(draw, much=theme is Theme.MACHINES)),
        *draw.choices(BY_OPERATOR, k=_few(draw, much=theme is Theme.OPERATOR)),
    ]
    if Event.CLOCK in events:  # then nobody can say by its time what came before a suppression
        events = [event for event in events if event not in (Event.SUPPRESS, Event.ERASE)]
    if Event.SLOW_THREADS in events or not LATE.isdisjoint(faults):
        # A POST that is accepted after an erasure brings the person back, as it should.
        events = [event for event in events if event is not Event.ERASE]
    return tuple(
        Happening(point=draw.randrange(draw.choice(POINTS)), event=event, draw=draw.random())
        for event in events
    )


def _ends(draw: Random) -> dict[tuple[str, str, str], str]:
    ends = {}
    for vendor in HOSTS:
        for person in (*PEOPLE, *LISTED):
            for kind in ("work", "personal"):
                end = draw.choice(ENDS)
                if vendor == "findymail" and end != "miss":
                    end = "verified"  # this vendor reports no other outcome of a hit
                ends[vendor, person, kind] = end
    return ends
