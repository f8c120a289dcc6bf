"""The commands of docs/inference.md work and print what the page shows."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.sources.inference import accuracy, pattern_learning
from mcp_enrichment.service.sources.inference.pattern_learning import PATTERNS
from tests.cli.commands import Shell
from tests.support.company_staff import staff
from tests.support.exports import HEADER
from tests.support.fresh_copy import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_enrichment.service.sources.exports.records import Contact

PAGE = (ROOT / "docs" / "inference.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ mcp-enrichment (.*)$", PAGE, re.MULTILINE)
SHOWN = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A user who has not used the program before."""
    return Shell(tmp_path)


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export with colleagues of three companies; one of them has no fixed address pattern."""
    monkeypatch.chdir(tmp_path)
    rows = chain(
        staff("Lumen Harbour, Inc.", "lumen.example", 60),
        staff("Atelier Lefèvre", "lefevre.example", 40, "flast"),
        _with_aliases(staff("Pinecone & Daughters", "pinecone.example", 40, "lastf")),
    )
    with (tmp_path / "Connections.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        file.write(HEADER)
        for row in rows:
            out.writerow(
                [row.first_name, row.last_name, row.profile, row.email, row.company, "", ""]
            )


def _with_aliases(people: Iterator[Contact]) -> Iterator[Contact]:
    for number, person in enumerate(people):
        alias = f"hi{number}@pinecone.example"
        yield replace(person, email=alias) if number % 7 == 3 else person


def test_the_commands_print_what_the_page_shows(export: None, shell: Shell) -> None:
    assert COMMANDS == ["contacts import Connections.csv", "contacts report"]
    imported, reported = [shell.run(*command.split()) for command in COMMANDS]
    assert imported.code == reported.code == 0, reported.err
    assert [reported.out] == SHOWN


def test_the_numbers_and_patterns_of_the_page_are_those_of_the_code() -> None:
    assert f"{accuracy.MIN_TESTED} of its addresses" in PAGE
    assert f"{accuracy.MIN_PRECISION:.0%}".removesuffix("%") + " of 100 were right" in PAGE
    assert f"| {accuracy.MIN_COLLEAGUES} people of it with an address there" in PAGE
    assert f"| {pattern_learning.MIN_CONFIRMATIONS} people whose address has it" in PAGE
    assert f"| {pattern_learning.MIN_SIMILAR_NAMES} people with such names" in PAGE
    listed = re.sub(r"\s+", " ", PAGE.partition("The patterns: ")[2].partition(".\n")[0])
    assert re.split(r", | and ", listed) == list(PATTERNS)
