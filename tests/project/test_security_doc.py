"""SECURITY.md names files and tests that exist."""

from __future__ import annotations

import re

from tests.support.fresh_copy import ROOT

TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
FILES = re.findall(r"`((?:\w+/)+\w+\.\w+)`", TEXT)


def test_each_file_and_test_that_holds_an_attacker_exists() -> None:
    assert len(FILES) > 40
    roots = (ROOT, ROOT / "mcp_enrichment", ROOT / "tests")
    assert not [file for file in FILES if not any((root / file).exists() for root in roots)]


def test_readers_find_the_page() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "(SECURITY.md)" in (ROOT / page).read_text("utf-8")
