"""`memory show` lists past requests without naming people; `memory forget` removes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import ADA, JONAS

if TYPE_CHECKING:
    from tests.cli.commands import Shell


def test_past_requests_are_shown_without_the_person(with_contacts: Shell) -> None:
    with_contacts.run("enrich", ADA)
    shown = with_contacts.run("memory", "show")
    (line,) = shown.out.splitlines()
    enrichment_id, kind, end, asked, ended = line.split("\t")
    assert len(enrichment_id) == 24
    assert (kind, end) == ("work", "completed")
    assert asked.startswith("asked 20")
    assert ended.startswith("ended 20")
    assert "ada" not in shown.out.lower()


def test_a_forgotten_request_is_made_again_and_the_others_are_not(with_contacts: Shell) -> None:
    with_contacts.run("enrich", ADA)
    with_contacts.run("enrich", JONAS, "--type", "personal")
    assert with_contacts.run("memory", "forget", f"{ADA}/?trk=x").out == "Forgot 1.\n"
    with_contacts.run("enrich", ADA)
    with_contacts.run("enrich", JONAS, "--type", "personal")
    assert with_contacts.one("SELECT count(*) FROM requests") == 3


@pytest.mark.parametrize(
    "command",
    [
        ("memory", "forget"),
        ("privacy", "erase", "--profile"),
        ("sources", "check", "contacts", "--profile"),
    ],
)
def test_a_url_of_no_profile_is_refused_alike_by_all_commands_and_not_repeated(
    shell: Shell, command: tuple[str, ...]
) -> None:
    refused = shell.run(*command, "https://hidden.example")
    assert "not on linkedin.com" in refused.refused(code=2)
    assert "hidden" not in refused.err
    assert "There is no URL" in shell.run(*command, "").refused(code=2)


def test_everything_is_forgotten_only_when_that_is_confirmed(with_contacts: Shell) -> None:
    with_contacts.run("enrich", ADA)
    assert with_contacts.run("memory", "clear").code == 1
    assert with_contacts.run("memory", "clear", "--yes").out == "Forgot 1.\n"
    assert with_contacts.run("memory", "show").out == ""


def test_forgetting_does_not_make_the_days_budget_whole_again(with_contacts: Shell) -> None:
    with_contacts.run("enrich", ADA, DAILY_BUDGET="1")
    with_contacts.run("memory", "clear", "--yes")
    refused = with_contacts.run("enrich", ADA, DAILY_BUDGET="1").refused()
    assert "daily budget of 1 credits" in refused
