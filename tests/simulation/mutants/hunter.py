"""The process of one mutant: it runs worlds, on the package in the current folder, until a promise
is broken. It prints a line of JSON for each run: the find, or null."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mcp_enrichment
from tests.simulation.plan import token_of
from tests.simulation.run import Failed, Simulation, simulation
from tests.support.invariants import Violated

if TYPE_CHECKING:
    from types import FrameType

APART = 1_000_000
"""The distance between the first seeds of two runs."""
HANGS = 120
"""Seconds after which a step of a mutant counts as an endless loop."""


class Hangs(AssertionError):
    """A step does not end."""


def hunt(it: Simulation, first: int, at_most: int) -> dict[str, Any] | None:
    """Run up to `at_most` seeds. The fields of a `Find` for the first that breaks a promise, or
    None."""
    for number in range(at_most):
        token = token_of(first + number)
        signal.alarm(HANGS)
        try:
            it.run(token)
        except Failed as failed:
            return {"seeds": number + 1, "by": _named(failed.__cause__), "token": token}
        finally:
            signal.alarm(0)
    return None


def _named(error: BaseException | None) -> str:
    return error.invariant if isinstance(error, Violated) else type(error).__name__


def _hang(_signal: int, _frame: FrameType | None) -> None:
    raise Hangs


def main(first: int, at_most: int, times: int) -> None:
    """Run it `times` times, and print the finds."""
    assert Path(mcp_enrichment.__file__).is_relative_to(Path.cwd()), "not the copy"
    signal.signal(signal.SIGALRM, _hang)
    with simulation() as it:
        for time in range(times):
            print(json.dumps(hunt(it, first + time * APART, at_most)), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
