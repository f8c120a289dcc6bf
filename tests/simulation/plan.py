"""What a world is made of and what happens in it: all of it drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.simulation.network import NetworkFault
from tests.simulation.receivers import DIES
from tests.simulation.vendors import ENDS, HOSTS, PROFILE, TROUBLES

__all__ = ["PROFILE", "Plan", "plan", "token_of"]

VERSION = "3"
"""Of the tokens: another plan, or another order of draws, is another version."""
EPOCH = 1_800_000_000.0
"""The time of the calendar at which each world begins."""
PEOPLE = ("ada-okafor", "jonas-weiss", "mei-tanaka")
LISTED = ("noor-haddad", "emil-sorensen")
"""People that are in lists only."""
ERAS = ("auto", "legacy")
SHARE_OF_MCP = 0.15
"""Of the worlds: an MCP connection takes as long as the rest of a world."""
TYPES = ("work", "work", "work", "personal")
CREDITS = (1, 2, 10)
POINTS = (20, 50, 120)
"""Events of short and long worlds: what happens in one does so at one of them."""


class Kind(StrEnum):
    """Who looks up."""

    EMBEDDED = "embedded"
    """Each face has the service in its own process, on one database."""
    TEAM = "team"
    """The faces are clients of a service elsewhere, for two teams."""


class Asks(StrEnum):
    """The way in which a person asks."""

    ONE = "one"
    LIST = "list"
    SCRIPT = "script"
    """Over HTTP with a key, without our client."""


class Event(StrEnum):
    """What happens besides faults of the network."""

    KILL = "kill"
    KILL_AT_WRITE = "kill before a write"
    POWER_CUT = "power cut"
    STOP = "stop"
    """A process is told to end, and starts again."""
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
"""Faults after which a POST may arrive when its caller has an answer."""
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
    """Of what there is much in a world. Without themes, rare things hardly meet."""

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
    """A person's question at one face."""

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
    faces: tuple[int, ...]
    """The team of each."""
    services: int
    credits: int
    daily_budget: int | None
    reserve: int | None
    questions: tuple[Question, ...]
    vendors: tuple[str, ...]
    ends: dict[tuple[str, str, str], str]
    """The ends of vendor, person and type."""
    troubles: dict[str, tuple[str, ...]]
    vendor_seconds: tuple[float, ...]
    """A vendor takes one of these for an answer."""
    exchanges: dict[int, NetworkFault]
    posts: tuple[NetworkFault | None, ...]
    """What the first POSTs to the service elsewhere meet, beside the faults of the exchanges."""
    is_known: bool
    """The state files know the service from earlier: that it recognises a repeated POST."""
    happenings: tuple[Happening, ...]
    callback_answers: tuple[int, ...]
    """The statuses of the receivers' first answers; 0: none comes; `DIES`. Then they answer 200."""
    order: int
    """The seed of the order."""
    era: str | None
    """The faces are MCP servers, whose clients speak this era of the protocol. None: a program uses
    our client."""


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
        events = [event for event in events if event is not Event.SUPPRESS]
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
                    end = "verified"  # it returns no others
                ends[vendor, person, kind] = end
    return ends
