"""Each command prints its result on stdout and its failures on stderr, and sets an exit code."""

from __future__ import annotations

import json
import re
import zipfile
from typing import TYPE_CHECKING

import click
import pytest

from mcp_enrichment.cli import COMMANDS, main
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db.sqlite import open_sqlite
from tests.cli.commands import ADA, JONAS, SAMPLE, Shell
from tests.support.company_staff import profile, staff, unaddressed
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path


def test_help_lists_the_commands_with_examples(shell: Shell) -> None:
    told = shell.run("--help")
    assert (told.code, told.err) == (0, "")
    for command in ("contacts", "credits", "demo", "enrich", "service"):
        assert re.search(rf"^  {command} +\w", told.out, re.MULTILINE)
    assert "mcp-enrichment contacts import Connections.csv" in told.out
    assert not shell.database.exists()


def test_each_command_of_the_help_can_be_imported() -> None:
    context = click.Context(main)
    assert all(isinstance(main.get_command(context, name), click.Command) for name in COMMANDS)


NO_EXPORTS = {
    "missing.csv": "does not exist",
    "empty.csv": "is empty",
    "a.pdf": "is not a known export",
    "folder": "is not a file",
}


def test_a_file_that_is_no_export_is_refused_and_changes_nothing(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n\xe2\xe3\xcf\xd3\n1 0 obj\n")
    (tmp_path / "folder").mkdir()
    tried = shell.run_all(*(["contacts", "import", str(tmp_path / file)] for file in NO_EXPORTS))
    for done, why in zip(tried, NO_EXPORTS.values(), strict=True):
        assert why in done.refused()
    listed = shell.run("contacts", "list")
    assert (listed.code, listed.out) == (0, "")
    assert "mcp-enrichment contacts import" in listed.err


def test_an_import_reports_read_stored_and_skipped_rows_and_can_be_repeated(
    shell: Shell, tmp_path: Path
) -> None:
    packed = tmp_path / "Basic_LinkedInDataExport.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(SAMPLE, "Connections.csv")
    first = shell.run("contacts", "import", SAMPLE)
    assert first.code == 0
    assert "Read 41 rows.\nStored 8 with an address, 8 of them new.\nSkipped 32" in first.out
    again = shell.run("contacts", "import", str(packed))
    assert "Stored 8 with an address, 0 of them new." in again.out
    listed = shell.run("contacts", "list", "--limit", "7")
    assert len(listed.out.splitlines()) == 7
    assert "7 of 8 contacts" in listed.err
    assert f"Ada Okafor\twork\tada.okafor@example.com\t{ADA}\tlinkedin\t" in listed.out


def test_credits_are_shown_and_granted(shell: Shell) -> None:
    assert shell.run("credits").out == "250\n"
    assert shell.run("credits", "grant", "5").out == "255\n"
    assert shell.balance() == 255


def test_an_amount_that_is_no_grant_is_refused(shell: Shell) -> None:
    amounts = ["0", "-3"]
    for done in shell.run_all(*(["credits", "grant", "--", amount] for amount in amounts)):
        done.refused(code=2)
    assert not shell.database.exists()


def test_credits_of_another_service_are_not_granted_here(shell: Shell) -> None:
    told = shell.run("credits", "grant", "5", API_KEY="planted-key").refused(code=2)
    assert "ENRICHMENT_API_KEY" in told
    assert "planted-key" not in told
    assert not shell.database.exists()


def test_a_found_address_is_all_that_enrich_prints(with_contacts: Shell) -> None:
    asked = ["enrich", JONAS, "--type", "personal"]
    found = with_contacts.run(*asked)
    assert (found.code, found.out, found.err) == (0, "jonas.weiss@freemail.example\n", "")
    again = json.loads(with_contacts.run(*asked, "--json").out)
    assert (again["email"], again["reused"]) == ("jonas.weiss@freemail.example", True)
    assert with_contacts.balance() == 249
    anew = json.loads(with_contacts.run(*asked, "--json", "--refresh").out)
    assert (anew["reused"], anew["credits_charged"]) == (False, 1)
    assert with_contacts.balance() == 248


def test_an_address_that_nobody_has_seen_is_printed_and_called_what_it_is(shell: Shell) -> None:
    database = open_sqlite(shell.database)
    olivia = unaddressed("Olivia", "Park", "Lumen", "olivia")
    import_contacts(database, [*staff("Lumen", "lumen.example", 60), olivia], source="linkedin")
    database.close()
    found = shell.run("enrich", profile("olivia"), SOURCES="inferred")
    assert found.out == "olivia.park@lumen.example\n"
    assert found.err.startswith(
        "inferred: The address is inferred from how addresses at its domain are"
    )


def test_a_miss_ends_with_code_3_and_its_next_step_on_stderr(with_contacts: Shell) -> None:
    missed = with_contacts.run("enrich", ADA, "--type", "personal")
    assert (missed.code, missed.out) == (3, "")
    assert missed.err.startswith("not-found: No address was found.")


def test_a_miss_before_the_first_import_says_how_to_import(shell: Shell) -> None:
    missed = shell.run("enrich", ADA, "--json")
    assert (missed.code, json.loads(missed.out)["email"]) == (3, None)
    assert "mcp-enrichment contacts import FILE" in missed.err


def test_a_url_that_is_no_profile_is_refused_with_what_to_paste(shell: Shell) -> None:
    told = shell.run("enrich", "https://www.linkedin.com/company/acme").refused()
    assert "copy the address" in told


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ([], "LOG_LEVEL", "loud"),
        (["credits"], "MISS_DAYS", "-1"),
        (["service"], "API_URL", "not a url"),
    ],
)
def test_a_wrong_setting_is_named_whatever_the_command(
    command: list[str], name: str, value: str, shell: Shell
) -> None:
    told = shell.run(*command, **{name: value}).refused(code=2)
    assert told.startswith(f"ENRICHMENT_{name}: ")
    assert value not in told


def test_a_folder_may_begin_at_home_as_no_shell_expands_what_a_client_sets(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert shell.run("contacts", "list", DATA_DIR="~/elsewhere").code == 0
    assert (tmp_path / "elsewhere" / "enrichment.db").exists()


def test_the_demo_ends_with_real_answers(shell: Shell) -> None:
    shown = shell.run("demo")
    assert (shown.code, shown.err) == (0, "")
    for line in (
        "balance: 250",
        "email: ada.okafor@example.com",
        "email: jonas.weiss@freemail.example",
        "status: not-found",
        "balance: 248",
    ):
        assert f"  {line}\n" in shown.out
    assert not shell.database.exists()


@pytest.mark.parametrize("command", [["credits"], ["enrich", ADA], ["doctor"], ["setup"]])
def test_a_command_that_serves_no_assistant_does_not_load_the_mcp_sdk(
    shell: Shell, command: list[str]
) -> None:
    ran = shell.start(*command, python=("-X", "importtime"))
    _, imports = ran.communicate(timeout=HANG)
    loaded = {line.rpartition("|")[2].strip() for line in imports.splitlines()}
    assert "mcp_enrichment.cli" in loaded
    assert "mcp" not in loaded
