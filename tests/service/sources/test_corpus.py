"""Exports as address books and CRM programs really write them are read correctly.

Each line of `corpus.jsonl` holds a small file in a program's format, about fictional people, with
the expected result. The expected results were written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_enrichment.service.sources.exports.records import Contact, Skipped
from tests.support.exports import rows

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "corpus.jsonl").read_text("utf-8").split("\n")
    if line
]


@pytest.mark.parametrize("case", CASES, ids=[case["case"].replace(" ", "-") for case in CASES])
def test_a_file_as_programs_write_it_is_read_as_it_is_meant(
    written: Any, case: dict[str, Any]
) -> None:
    found = rows(written(case["text"].encode(case["encoding"])))
    assert [
        {
            "email": row.email,
            "kind": row.email_type,
            "profile": row.profile,
            "first_name": row.first_name,
            "last_name": row.last_name,
        }
        for row in found
        if isinstance(row, Contact)
    ] == case["addresses"]
    assert [row.reason for row in found if isinstance(row, Skipped)] == case["refused"]


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case["case"] for case in CASES}) == len(CASES) >= 300
