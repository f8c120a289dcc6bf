"""Looks for seeds at which the simulation finds the mutants.

Each mutant runs in a process of its own, on a copy of the package, several times from other fresh
seeds. The unchanged package comes first: what it fails at says nothing about a mutant.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.mutants import Mutant, copy_with, mutants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_MOST = 2000
"""Seeds after which a mutant counts as not found."""
TIMES = 3
AT_ONCE = 2
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own)


@dataclass(frozen=True, kw_only=True, slots=True)
class Find:
    """A seed at which a promise was broken."""

    seeds: int
    """The seeds that it took."""
    by: str
    """The invariant, or the error."""
    token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Hunt:
    """What was found of one mutant."""

    mutant: Mutant | None
    finds: Sequence[Find | None]

    @property
    def has_survived(self) -> bool:
        return None in self.finds

    def __str__(self) -> str:
        name = self.mutant.name if self.mutant else "unchanged"
        found = [find for find in self.finds if find]
        if not found:
            return f"{name:32} {'-':>7}  not found"
        median = statistics.median(find.seeds for find in found)
        by = ", ".join(sorted({find.by for find in found}))
        missed = " (not each time)" if self.has_survived else ""
        return f"{name:32} {median:7.0f}  {by}{missed}  {found[0].token}"


def main(names: Sequence[str], *, at_most: int = AT_MOST, times: int = TIMES) -> int:
    """Hunt the mutants of these names, or all; print a table. The exit code: 1 if one survives, or
    the unchanged package breaks a promise."""
    first = secrets.randbelow(10**9)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        of = partial(hunt, Path(folder), first=first, at_most=at_most, times=times)
        unchanged = of(None)
        if any(unchanged.finds):
            print(f"{unchanged}\nThe unchanged package breaks a promise: mend that first.")
            return 1
        print(f"{'mutant':32} {'seeds':>7}  found by, and the token of the first find")
        survivors, medians = [], []
        for done in _each(of, mutants(*names)):
            print(done, flush=True)
            if done.has_survived:
                survivors.append(done)
            else:
                medians.append(statistics.median(find.seeds for find in done.finds if find))
    if medians:
        print(f"{len(medians)} found, after {statistics.median(medians):.0f} seeds in the median")
    if survivors:
        print(f"{len(survivors)} survived {at_most} seeds at least once")
    return 1 if survivors else 0


def hunt(folder: Path, mutant: Mutant | None, *, first: int, at_most: int, times: int) -> Hunt:
    """Run the simulation on a copy of the package with the mutant, or without one, from this seed
    on. It is found each of so many times, or not within so many seeds."""
    root = copy_with(mutant, folder)
    program = [sys.executable, "-m", "tests.simulation.mutants.hunter"]
    seeds = [str(number) for number in (first, at_most, times if mutant else 1)]
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(root)}
    ran = subprocess.run(
        [*program, *seeds], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    shutil.rmtree(root)
    if ran.returncode:
        raise RuntimeError(f"{mutant and mutant.name}: {ran.stderr}")
    lines = map(json.loads, ran.stdout.splitlines())
    return Hunt(mutant=mutant, finds=[line and Find(**line) for line in lines])


def _each(of: partial[Hunt], all_: Sequence[Mutant]) -> Iterator[Hunt]:
    """The hunts, each once it is done."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        hunts = [pool.submit(of, mutant) for mutant in all_]
        try:
            yield from (hunted.result() for hunted in as_completed(hunts))
        finally:  # one that does not start ends them all
            pool.shutdown(cancel_futures=True)
