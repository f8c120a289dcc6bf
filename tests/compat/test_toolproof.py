"""toolproof checks the tools' schemas, and generates valid and invalid calls from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.compat.judges import TOOLPROOF
from tests.compat.toolbox import Ended, Toolbox, ran

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.compat

OLDER_HYPOTHESIS = "hypothesis==6.150.0"
"""Its strategies for schemas do not work with later releases of hypothesis."""
SEED = "7"


@pytest.fixture
def toolproof(tools: Toolbox, server: dict[str, Any], tmp_path: Path) -> Callable[..., Ended]:
    """Runs one of its commands on the server, with these options."""
    program = str(tools.python(TOOLPROOF, OLDER_HYPOTHESIS) / "toolproof")
    config = tmp_path / "toolproof.yaml"
    config.write_text(json.dumps({"server": server}), "utf-8")
    return lambda *options: ran(program, *options, "--config", str(config))


def test_the_schemas_have_no_flaw(toolproof: Callable[..., Ended]) -> None:
    ended = toolproof("inspect", "--json")
    assert ended.code == 0, ended
    told = json.loads(ended.out)
    assert len(told["tools"]) == 5
    assert told["checks"] == []


def test_no_made_up_call_crashes_it_or_hangs(
    toolproof: Callable[..., Ended], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    ended = toolproof("fuzz", "--seed", SEED, "--json", str(report))
    assert ended.code == 0, ended
    fuzzed = json.loads(report.read_text("utf-8"))["fuzz"]["tools"]
    assert [one["findings"] for one in fuzzed] == [[]] * 5
    assert [one["skipped"] for one in fuzzed] == [None] * 5
    assert sum(one["calls"] for one in fuzzed) >= 241
