"""`tasks.py check` runs the tests that import what changed; the checks run at the same time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import tasks

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_check_runs_the_tests_that_import_what_changed_and_no_others() -> None:
    chosen = tasks.tests_of({"mcp_enrichment/client/http_api.py", "tests/cli/test_key.py"})
    assert {"tests/client/test_error_mapping.py", "tests/cli/test_key.py"} < set(chosen)
    assert "tests/cli/test_setup.py" not in chosen


def test_check_finds_a_module_that_is_imported_from_its_package() -> None:
    assert tasks.imported(tasks.ROOT / "tests/client/test_waiting_for_many.py") >= {
        "mcp_enrichment.client.poller",
        "mcp_enrichment.client.client",
    }


def test_commands_run_at_the_same_time_and_each_ends_with_its_own_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipe = str(tmp_path / "pipe")  # opening it waits until both have done so
    reads = f"import os; os.mkfifo({pipe!r}); print(open({pipe!r}).read()); exit(3)"
    writes = (
        "import os, time\n"
        f"while not os.path.exists({pipe!r}): time.sleep(0.01)\n"
        f"open({pipe!r}, 'w').write('from the other')\n"
    )
    commands = {"one": reads, "other": writes}
    codes = tasks.run_together(
        {name: {"args": [sys.executable, "-c", code]} for name, code in commands.items()}
    )
    assert codes == {"one": 3, "other": 0}
    said = capfd.readouterr().out
    assert said.index("== one") < said.index("from the other") < said.index("== other")
