"""The protocol's own conformance suite, against the server over HTTP.

Its scenarios call tools, resources and prompts of a fixture server, which this server lacks. The
scenarios that fail for this reason are listed in `conformance/fixtures-*.yml`; those of features
that are not served are listed in `conformance/unserved-*.yml`.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.compat.judges import CONFORMANCE
from tests.compat.judging import BASELINES, LINE, found, listed, strike
from tests.compat.servers import over_http
from tests.compat.toolbox import ran

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compat.toolbox import Toolbox

REVISIONS = ("2025-11-25", "2026-07-28")


@pytest.mark.compat
@pytest.mark.parametrize("revision", REVISIONS)
def test_what_fails_is_what_is_known_to_fail(revision: str, tools: Toolbox, tmp_path: Path) -> None:
    package = CONFORMANCE.rpartition("@")[0]
    suite = tools.npm(CONFORMANCE) / "node_modules" / package / "dist" / "index.js"
    with over_http(tmp_path) as server:
        command = [str(tools.node), str(suite), "server", "--url", server["url"]]
        told = ran(*command, "--requirements", revision, "-o", str(tmp_path / "results"))
    failed = found(tmp_path / "results")
    assert failed, f"no scenario has run: {told}"
    fixtures = BASELINES / f"fixtures-{revision}.yml"
    unserved = BASELINES / f"unserved-{revision}.yml"
    unknown = failed - listed(fixtures) - listed(unserved)
    assert not unknown, told
    assert not listed(fixtures) - failed, f"these pass, and so need no fixtures: {fixtures}"
    served = listed(unserved) - failed
    strike(unserved, served)
    assert not served, f"these pass now, and have been removed from {unserved.name}: commit it"


@pytest.mark.parametrize("baseline", sorted(BASELINES.iterdir()), ids=lambda file: file.stem)
def test_each_known_failure_stands_with_its_reason(baseline: Path) -> None:
    comment, key, *entries = baseline.read_text("utf-8").splitlines()
    assert comment.startswith("# ")
    assert key == "server:"
    assert [entry for entry in entries if not LINE.fullmatch(entry)] == []
    assert len(listed(baseline)) == len(entries)


def test_what_passes_is_struck_and_the_rest_kept(tmp_path: Path) -> None:
    baseline = shutil.copy(BASELINES / "unserved-2026-07-28.yml", tmp_path / "known.yml")
    before = listed(baseline)
    passing = set(sorted(before)[:2])
    strike(baseline, passing)
    assert listed(baseline) == before - passing
    assert "server:" in baseline.read_text("utf-8").splitlines()
