"""`python -m tests.simulation [--seeds N] [--first N] [--replay TOKEN]`: runs worlds, and prints
the token and the trace of one in which a promise was broken. With `--mutants [NAME ...]` it shows
which planted faults it finds."""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.simulation.mutants import hunt
from tests.simulation.plan import token_of
from tests.simulation.run import Failed, simulation

SEEDS = 1000
_CLOCK = time.perf_counter
"""The real clock: worlds have their own."""


def main() -> int:
    """Run what the arguments say; the exit code."""
    parser = argparse.ArgumentParser(prog="tasks.py simulate")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many worlds to run")
    parser.add_argument("--first", type=int, help="the first seed; without it a random one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    parser.add_argument("--replay", metavar="TOKEN", help="run one world, and print its trace")
    parser.add_argument(
        "--mutants", metavar="NAME", nargs="*", help="show which planted faults are found: all"
    )
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of a set of texts depends on it
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])  # noqa: S606
    if options.replay:
        return replay(options.replay)
    if options.mutants is not None:
        return hunt.main(options.mutants)
    first = secrets.randbelow(10**9) if options.first is None else options.first
    if options.jobs > 1:
        return search_at_once(first, options.seeds, options.jobs)
    return search(first, options.seeds)


def replay(token: str) -> int:
    """Run the world of a token, and print what happened in it."""
    with simulation() as it:
        try:
            world = it.run(token)
        except Failed as failed:
            print(failed)
            return 1
    print("\n".join(world.trace_lines))
    print(f"every promise held: {token}")
    return 0


def search(first: int, seeds: int) -> int:
    """Run so many worlds; print each that broke a promise."""
    began, failures, steps = _CLOCK(), [], 0
    with simulation() as it:
        for seed in range(first, first + seeds):
            token = token_of(seed)
            try:
                steps += it.run(token).scheduler.steps
            except Failed as failed:
                print(failed, flush=True)
                failures.append(token)
    print(f"{seeds} worlds from seed {first}, {steps} steps, {_CLOCK() - began:.0f} s")
    print("broken: " + ", ".join(failures) if failures else "every promise held")
    return 1 if failures else 0


def search_at_once(first: int, seeds: int, jobs: int) -> int:
    """Run the worlds in so many processes."""
    began = _CLOCK()
    bounds = [first + seeds * number // jobs for number in range(jobs + 1)]

    def run(start: int, end: int) -> int:
        share = ["--first", str(start), "--seeds", str(end - start), "--jobs", "1"]
        return subprocess.run(
            [sys.executable, "-m", "tests.simulation", *share], check=False
        ).returncode

    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(run, bounds, bounds[1:]))
    print(f"{seeds} worlds in {jobs} processes, {_CLOCK() - began:.0f} s")
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
