"""Commands that suppress a person, erase a person, or export what is stored about a person."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import ADA, JONAS, SAMPLE
from tests.support.exports import ADA as EXPORTED
from tests.support.exports import HEADER
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from tests.cli.commands import Shell

ADAS = "ada.okafor@example.com"


def test_a_suppressed_person_is_not_found_until_it_is_lifted(with_contacts: Shell) -> None:
    spelled = "linkedin.com/in/Ada-Okafor-Example/?trk=x"
    assert with_contacts.run("privacy", "suppress", "--profile", spelled).out == "Suppressed.\n"
    again = with_contacts.run("privacy", "suppress", "--profile", ADA).out
    assert again == "It was suppressed already.\n"
    said = with_contacts.run("enrich", ADA)
    assert ADAS not in said.out
    assert "suppression list" in said.out + said.err
    (line,) = with_contacts.run("privacy", "list").out.splitlines()
    assert line.split("\t")[1] == "profile"
    assert with_contacts.run("privacy", "lift", "--profile", ADA).out == "Lifted.\n"
    assert with_contacts.run("privacy", "lift", "--profile", ADA).out == "It was not suppressed.\n"


def test_an_answer_that_was_given_is_not_given_again_once_its_address_is_suppressed(
    with_contacts: Shell,
) -> None:
    assert ADAS in with_contacts.run("enrich", ADA).out
    with_contacts.run("privacy", "suppress", "--email", f" <{ADAS.upper()}> ")
    assert ADAS not in with_contacts.run("enrich", ADA).out


def test_after_an_erasure_an_import_leaves_the_person_out(with_contacts: Shell) -> None:
    done = with_contacts.run("privacy", "erase", "--email", ADAS)
    assert done.out.splitlines()[0] == "contacts: 1"
    again = with_contacts.run("contacts", "import", SAMPLE).out
    assert "Skipped 1 on the suppression list." in again
    assert ADAS not in with_contacts.run("contacts", "list").out


def test_without_suppressing_the_person_may_be_imported_again(with_contacts: Shell) -> None:
    with_contacts.run("privacy", "erase", "--profile", ADA, "--without-suppressing")
    assert ADAS not in with_contacts.run("contacts", "list").out
    with_contacts.run("contacts", "import", SAMPLE)
    assert ADAS in with_contacts.run("enrich", ADA).out


def test_an_erasure_forgets_only_the_requests_about_that_person(
    with_contacts: Shell,
) -> None:
    with_contacts.run("enrich", ADA)
    with_contacts.run("enrich", JONAS, "--type", "personal")
    with_contacts.run("privacy", "erase", "--email", ADAS)
    (left,) = with_contacts.run("memory", "show").out.splitlines()
    assert left.split("\t")[1] == "personal"


def test_an_export_is_json_about_one_person(with_contacts: Shell) -> None:
    with_contacts.run("enrich", ADA)
    with_contacts.run("enrich", JONAS)
    told = json.loads(with_contacts.run("privacy", "export", "--email", ADAS).out)
    assert (told["profiles"], told["addresses"]) == ([ADA], [ADAS])
    assert [row["email"] for row in told["contacts"] + told["requests"]] == [ADAS, ADAS]
    nobody = json.loads(with_contacts.run("privacy", "export", "--email", "no@example.com").out)
    assert (nobody["profiles"], nobody["contacts"], nobody["requests"]) == ([], [], [])


def test_an_export_has_times_that_people_and_programs_read(with_contacts: Shell) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    with_contacts.run("enrich", ADA)
    with_contacts.run("privacy", "suppress", "--email", ADAS)
    told = json.loads(with_contacts.run("privacy", "export", "--email", ADAS).out)
    for text in (told["requests"][0]["created_at"], told["audit"][0]["at"]):
        assert text.endswith("Z")
        assert began <= datetime.fromisoformat(text) <= datetime.now(UTC)
    times = {
        name: row[name]
        for table in ("contacts", "people", "requests", "audit")
        for row in told[table]
        for name in row
        if name.rpartition("_")[2] == "at"
    }
    assert all(time is None or datetime.fromisoformat(time).tzinfo for time in times.values())


def test_the_audit_shows_what_was_done_and_to_nobody_by_name(with_contacts: Shell) -> None:
    with_contacts.run("privacy", "export", "--profile", ADA)
    with_contacts.run("privacy", "erase", "--profile", ADA)
    shown = with_contacts.run("privacy", "audit").out
    assert [line.split("\t")[2] for line in shown.splitlines()] == ["erase", "export", "import"]
    assert "ada-" not in shown
    assert "ada." not in shown


@pytest.mark.parametrize("command", ["suppress", "lift", "erase", "export"])
@pytest.mark.parametrize(
    ("options", "end"), [([], "."), (["--profile", ADA, "--email", ADAS], ", not both.")]
)
def test_one_person_is_named_in_one_way(
    shell: Shell, command: str, options: list[str], end: str
) -> None:
    said = shell.run("privacy", command, *options).refused(code=2)
    assert said == f"Name the person by --profile or by --email{end}"


def test_an_option_that_names_nobody_is_refused(shell: Shell) -> None:
    refused = shell.run("privacy", "erase", "--email", "ada").refused()
    assert refused == "--email is not an email address; pass one like ada@example.com."


def test_erasing_a_shared_address_says_which_people_were_not_erased(shell: Shell) -> None:
    export = shell.folder / "Connections.csv"
    export.write_text(HEADER + EXPORTED + EXPORTED.replace("ada-okafor", "grace-lin"))
    shell.run("contacts", "import", str(export))
    done = shell.run("privacy", "erase", "--email", "ada@example.com")
    assert (done.code, done.out.splitlines()[0]) == (0, "contacts: 2")
    assert "known for 2 profiles" in done.err


def test_an_erased_person_whose_address_others_have_too_says_what_went_with_it(
    shell: Shell,
) -> None:
    export = shell.folder / "Connections.csv"
    export.write_text(HEADER + EXPORTED + EXPORTED.replace("ada-okafor", "grace-lin"))
    shell.run("contacts", "import", str(export))
    done = shell.run("privacy", "erase", "--profile", ADA)
    assert "known for 1 other profiles as well" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limit of a file's size")
def test_the_past_requests_are_forgotten_also_if_the_files_cannot_be_rewritten(
    with_contacts: Shell,
) -> None:
    with_contacts.run("enrich", ADA)
    assert with_contacts.run("memory", "show").out
    limit = partial(_limit_files, with_contacts.database.stat().st_size // 2)
    erase = ("privacy", "erase", "--email", ADAS)
    process = with_contacts.start(*erase, popen={"preexec_fn": limit})
    said = process.communicate(timeout=HANG)
    assert process.returncode == 1, said
    assert with_contacts.one("SELECT count(*) FROM contact_emails WHERE first_name = 'Ada'") == 0
    assert with_contacts.run("memory", "show").out == ""


def _limit_files(size: int) -> None:
    """Let no file of this process grow beyond this size: a rewritten one has no room."""
    import resource  # Windows has none

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
