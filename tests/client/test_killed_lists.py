"""A list whose process is killed again and again is finished without paying twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.accounts.teams import FIRST_GRANT
from tests.support.forks import by_fork
from tests.support.list_killer import HIT_EVERY
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

ROWS = 1000
CAP = 150
KILLED_AT = [("rows", 100), ("calls", 100), ("writes", 60), ("batches", 30), ("answers", 30)]
"""The events at which a run is killed, once each, and the highest number of the event."""
FINAL = ("completed", "not-found", "failed")


@dataclass
class KilledList:
    """A list, and what its runs have printed."""

    folder: Path
    runs: int = 0
    final: Counter[int] = field(default_factory=Counter)
    """The final rows of each profile."""
    outcomes: dict[int, str] = field(default_factory=dict)
    previews: list[int] = field(default_factory=lambda: [ROWS])
    balance: int | None = None

    @property
    def open(self) -> list[int]:
        return [number for number in range(ROWS) if not self.final[number]]

    @property
    def invoice(self) -> list[int]:
        """The profiles that the vendor has charged for."""
        file = self.folder / "invoice"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def run(self, event: str, at: int) -> int:
        """Go on with what is open; return the exit code."""
        arguments = map(str, (self.folder, self.runs, CAP, event, at))
        with by_fork():
            ended = subprocess.run(
                [sys.executable, "-m", "tests.support.list_killer", *arguments],
                input=json.dumps(self.open).encode(),
                env={**os.environ, **self._settings()},
                stdout=subprocess.PIPE,
                check=False,
                timeout=HANG,
            )
        self.runs += 1
        for line in map(json.loads, ended.stdout.splitlines()):
            if "number" in line:
                self.outcomes[line["number"]] = line["outcome"]
                self.final[line["number"]] += line["outcome"] in FINAL
            elif "preview" in line:
                self.previews.append(line["preview"])
            else:
                self.balance = line["balance"]
        return ended.returncode

    def _settings(self) -> dict[str, str]:
        folders = {f"ENRICHMENT_{name}_DIR": str(self.folder) for name in ("DATA", "STATE")}
        return folders | {"ENRICHMENT_SOURCES": "hunter", "ENRICHMENT_HUNTER_API_KEY": "a-key"}


def test_a_list_that_is_killed_five_times_pays_for_nobody_twice_and_stays_within_its_cap(
    tmp_path: Path,
) -> None:
    seed = random.randrange(10**9)  # noqa: S311
    print("seed", seed)  # shown if the test fails
    chance = random.Random(seed)  # noqa: S311
    enriched = KilledList(tmp_path)
    for event, most in chance.sample(KILLED_AT, len(KILLED_AT)):
        before = len(enriched.invoice)
        assert enriched.run(event, chance.randint(1, most)) == -9
        assert len(enriched.invoice) - before <= enriched.previews[-1]
    still_open, before = set(enriched.open), len(enriched.invoice)
    assert enriched.run("never", 0) == 0

    assert set(enriched.outcomes) == set(range(ROWS))
    refused = [number for number, outcome in enriched.outcomes.items() if outcome not in FINAL]
    assert {enriched.outcomes[number] for number in refused} <= {"budget_exceeded"}
    assert max(enriched.final.values()) == 1
    assert set(enriched.invoice[before:]) <= still_open - set(enriched.invoice[:before])
    assert max(Counter(enriched.invoice).values()) == 1
    assert len(enriched.invoice) <= enriched.previews[0] == ROWS

    charged = FIRST_GRANT - (enriched.balance or 0)
    found = [number for number, outcome in enriched.outcomes.items() if outcome == "completed"]
    assert len(found) == charged <= CAP
    # Nothing is refused while a credit is left: those of misses come back, also in a later run.
    assert not refused or charged == CAP
    # Only a kill in a call of the vendor loses an answer, of an address that may be charged for.
    lost = [number for number, outcome in enriched.outcomes.items() if outcome == "failed"]
    paid = {number for number in enriched.invoice if number % HIT_EVERY == 0}
    assert paid == set(found) | (paid & set(lost))
