"""`tasks.py check` runs the tests that import what changed, and no others."""

from __future__ import annotations

import tasks


def test_check_runs_the_tests_that_import_what_changed_and_no_others() -> None:
    chosen = tasks.tests_of({"mcp_enrichment/client/http_api.py", "tests/cli/test_key.py"})
    assert {"tests/client/test_error_mapping.py", "tests/cli/test_key.py"} < set(chosen)
    assert "tests/cli/test_setup.py" not in chosen


def test_check_finds_a_module_that_is_imported_from_its_package() -> None:
    assert tasks.imported(tasks.ROOT / "tests/client/test_waiting_for_many.py") >= {
        "mcp_enrichment.client.poller",
        "mcp_enrichment.client.client",
    }
