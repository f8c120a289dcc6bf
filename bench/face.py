"""The MCP server under load, relative to servers that do the same work with other libraries.

Start-up, memory, and calls a second, p50 and p99 at 1 and at 64 calls at a time: medians of rounds
in which all servers take turns. Goals: no figure worse than the bare SDK's, and over stdio at least
twice its calls at 64. Exits with code 1 if the calls at 64 miss their goal.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contenders import BARE, OURS, Contender, contenders
from bench.over_http import over_http
from bench.over_stdio import over_stdio

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from bench.over_http import OverHttp
    from bench.over_stdio import OverStdio

    Serving = Callable[[Contender], AbstractContextManager[OverStdio | OverHttp]]

ROUNDS = 7
SECONDS = 2.0
WARM_UP = 0.5
AT_ONCE = (1, 64)

TRANSPORTS: dict[str, tuple[Serving, float]] = {
    "stdio": (over_stdio, 2.0),
    "HTTP": (over_http, 1.0),
}
"""Each starts a server, lists its tools, puts it under load, and reports its memory. The number is
the goal: our calls at 64 relative to the bare SDK's."""


def main() -> int:
    """Print all figures, and ours divided by the bare SDK's; return 1 if the goal is missed."""
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        competing = contenders(Path(folder))
        for transport, (serving, goal) in TRANSPORTS.items():
            print(f"\n{transport}: median of {ROUNDS} rounds; goal: calls/s at 64 ≥ {goal}")
            missed += compare(competing, serving) < goal
    return 1 if missed else 0


def compare(competing: list[Contender], serving: Serving) -> float:
    """Let the servers take turns, and print; return our calls at 64 divided by the bare SDK's."""
    rounds: dict[str, list[dict[str, float]]] = {one.name: [] for one in competing}
    for _ in range(ROUNDS):
        for one in competing:
            rounds[one.name].append(one_round(serving, one))
    show({name: median(of_one) for name, of_one in rounds.items()})
    ratios = ratios_of(rounds[OURS], rounds[BARE])
    told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    print(f"{OURS} / {BARE}: {told}")
    return ratios["calls/s at 64"]


def show(medians: dict[str, dict[str, float]]) -> None:
    """Print a table."""
    print(" | ".join(["", *medians[BARE]]))
    for name, figures in medians.items():
        print(" | ".join([name, *(f"{figure:,.4g}" for figure in figures.values())]))


def one_round(serving: Serving, one: Contender) -> dict[str, float]:
    """Start a server, put it under load, end it."""
    began = time.perf_counter()
    with serving(one) as server:
        server.list_tools()
        figures = {"start ms": (time.perf_counter() - began) * 1000}
        server.load(max(AT_ONCE), WARM_UP)
        for at_once in AT_ONCE:
            load = server.load(at_once, SECONDS)
            figures |= {
                f"calls/s at {at_once}": load.per_second,
                f"p50 ms at {at_once}": load.p50,
                f"p99 ms at {at_once}": load.p99,
            }
        return figures | {"memory MB": server.megabytes()}


def median(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def ratios_of(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, float]:
    """Ours divided by theirs, figure by figure: the median of the ratios of each round. Within a
    round, other load on the machine affects both."""
    by_round = [
        {name: our[name] / their[name] for name in our}
        for our, their in zip(ours, theirs, strict=True)
    ]
    return median(by_round)


if __name__ == "__main__":
    sys.exit(main())
