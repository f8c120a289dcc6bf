"""`contacts import` prints what became of each row; a dry run stores nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.sources.exports.records import SkipReason
from tests.support.exporters.customers import hubspot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Shell


@pytest.fixture
def export(tmp_path: Path) -> str:
    path = tmp_path / "all-contacts.csv"
    path.write_bytes(hubspot()[0])
    return str(path)


def test_a_dry_run_shows_the_first_rows_as_understood_and_stores_nothing(
    shell: Shell, export: str
) -> None:
    shown = shell.run("contacts", "import", export, "--dry-run")
    assert shown.code == 0
    title, ada, jonas, *_ = shown.out.splitlines()
    assert title == "Read as hubspot; the first rows as understood:"
    assert ada.split("\t") == [
        *("Ada Okafor", "work", "p0@harbour0.example"),
        *("https://www.linkedin.com/in/ada-0-example", "Harbour 0, Inc.", "CTO", "2026-03-05"),
    ]
    assert jonas.startswith("Jonas Weiß\twork\tp1@harbour1.example")
    assert "  left out: with a URL of Sales Navigator" in shown.out
    assert "Read 240 rows.\nWould store 200 with 280 addresses.\n" in shown.out
    assert shown.out.endswith("\nThis was a dry run: nothing was stored.\n")
    assert not shell.database.exists()


def test_a_dry_run_shows_the_beginning_of_what_is_too_long(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"Name,Mail\n{'a' * 60_000},ada@b.example\n", "utf-8")
    options = ("--map", "name=Name,email=Mail", "--dry-run")
    _, ada, *_ = shell.run("contacts", "import", str(path), *options).out.splitlines()
    assert ada.split("\t")[:3] == ["a" * 59 + "…", "work", "ada@b.example"]


def test_an_import_reports_the_outcome_of_every_row(shell: Shell, export: str) -> None:
    told = shell.run("contacts", "import", export)
    assert told.out == (
        "Read 240 rows.\n"
        "Stored 200 with 280 addresses, 280 of them new.\n"
        "Of those, 40 came with a URL of Sales Navigator or Recruiter, which only LinkedIn "
        "resolves.\n"
        "Skipped 40 with the URL of a company, a school or a post in place of a person's.\n"
    )
    assert "280 of them new" not in shell.run("contacts", "import", export).out
    listed = shell.run("contacts", "list", "--limit", "1000").out
    found = "https://www.linkedin.com/in/ada-0-example\thubspot\t2026-03-05\n"
    assert f"Ada Okafor\twork\tp0@harbour0.example\t{found}" in listed


def test_every_reason_is_reported_in_words() -> None:
    assert all(reason.text for reason in SkipReason)


def test_another_table_is_imported_by_the_columns_that_are_named(
    shell: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("Profile,Mail\nlinkedin.com/in/ada-example,ada@b.example\n", "utf-8")
    assert "--map url=COLUMN,email=COLUMN" in shell.run("contacts", "import", str(path)).refused()
    assert not shell.database.exists()
    for wrong in ("url=Profile", "mail=Mail"):
        shell.run("contacts", "import", str(path), "--map", wrong).refused(code=2)
    named = ("--map", "url=Profile", "--map", "email=Mail")
    assert "Stored 1" in shell.run("contacts", "import", str(path), *named).out
    found = shell.run("enrich", "https://www.linkedin.com/in/ada-example")
    assert found.out == "ada@b.example\n"


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-05:00", "2999-01-01", "99991231T235959Z"])
def test_a_date_that_is_yet_to_come_counts_as_today(
    shell: Shell, tmp_path: Path, moment: str
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "Record ID,First Name,Email,LinkedIn URL,Last Modified Date\n"
        f"1,Ada,ada@b.example,linkedin.com/in/ada-example,{moment}\n",
        "utf-8",
    )
    shown = shell.run("contacts", "import", str(path), "--dry-run")
    _, ada, *_ = shown.out.splitlines()
    before = ada.split("\t")[-1]
    assert shell.run("contacts", "import", str(path)).code == 0
    listed = shell.run("contacts", "list").out
    assert before <= listed.split("\t")[-1].strip() <= datetime.now(UTC).date().isoformat()
