"""A list is looked up at a terminal: each row gets its answer, and nobody is paid for twice."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.cli.list_output import ADDED
from tests.support.list_service import hit, miss
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from tests.cli.commands import Shell
    from tests.cli.list_shell import ListShell

pytestmark = pytest.mark.anyio

HEADER = "Name,Phone,Company LinkedIn,LinkedIn"


def line(name: str, url: str) -> str:
    return f"{name},+1 555 0100,https://www.linkedin.com/company/harbour-example,{url}"


async def test_each_row_keeps_its_cells_and_its_place_and_gets_its_answer(
    lists: ListShell,
) -> None:
    twice = hit(1).replace("https://www.", "http://uk.") + "/?trk=people"
    lists.write(
        HEADER, line("Ada", hit(1)), line("Bo", miss(1)), line("No", "x"), line("Ada", twice)
    )
    done = await lists.saved()
    assert (done.code, done.out) == (0, "")
    assert lists.out.read_text("utf-8").splitlines()[0] == ",".join([HEADER, *ADDED])
    rows = lists.rows()
    assert [row["Name"] for row in rows] == ["Ada", "Bo", "No", "Ada"]
    assert {row["Phone"] for row in rows} == {"+1 555 0100"}
    assert [row["email"] for row in rows] == ["hit-1@example.com", "", "", "hit-1@example.com"]
    assert [row["status"] for row in rows] == ["completed", "not-found", "invalid", "completed"]
    assert [row["credits"] for row in rows] == ["1", "", "", "0"]
    assert [row["reason"] for row in rows] == ["", "", "bad-url", ""]
    assert sorted(lists.service.posted) == ["hit-1", "miss-1"]
    assert "4 rows: 2 people, 1 repeated, 1 without a profile." in done.err
    assert "2 are new.\nThis can cost 2 credits: " in done.err
    assert "Found 1, missed 1, failed 0, open 0. Spent 1 credits." in done.err


async def test_without_a_terminal_and_without_yes_only_the_preview_is_shown(
    lists: ListShell,
) -> None:
    lists.write(hit(1), hit(2))
    done = await lists.run("--max-credits", "1")
    assert "Add --yes" in done.refused(code=2)
    assert "2 are new.\nThis can cost 1 credits: " in done.err
    assert not lists.service.posted
    assert not lists.out.exists()


async def test_the_same_list_again_is_free_needs_no_consent_and_writes_the_same(
    lists: ListShell,
) -> None:
    lists.write(hit(1), miss(1))
    await lists.saved()
    first = lists.rows()
    again = await lists.run("--out", str(lists.out))
    assert again.code == 0
    assert "2 are known" in again.err
    assert lists.rows() == [row | {"credits": "0"} for row in first]
    assert len(lists.service.posted) == 2


async def test_all_runs_of_a_list_together_cost_no_more_than_max_credits(
    lists: ListShell,
) -> None:
    lists.write(*(hit(number) for number in range(6)))
    for posted in (2, 2):
        done = await lists.saved("--max-credits", "2")
        assert done.code == 4
        assert len(lists.service.posted) == posted
        statuses = [row["status"] for row in lists.rows()]
        assert (statuses.count("completed"), statuses.count("not-requested")) == (2, 4)
        assert (
            "Raise `max_credits` (`--max-credits` at a terminal) to look up the rest." in done.err
        )
    assert "Earlier runs of this list have cost up to 2 credits." in done.err
    assert (await lists.saved("--max-credits", "5")).code == 4
    assert len(lists.service.posted) == 5
    assert (await lists.saved()).code == 0
    assert len(lists.service.posted) == 6


async def test_what_an_assistant_has_looked_up_is_not_paid_for_again(lists: ListShell) -> None:
    lists.write(hit(1))
    assert (await lists.run(source=hit(1))).out == "hit-1@example.com\n"
    assert (await lists.run()).code == 0
    assert lists.service.posted == ["hit-1"]


async def test_urls_come_from_stdin_and_rows_go_to_stdout(lists: ListShell) -> None:
    lists.write(hit(1), miss(1))
    with lists.list_file.open() as stdin:
        done = await lists.run("--yes", source="-", stdin=stdin)
    assert done.code == 0
    rows = [one.split(",") for one in done.out.splitlines()]
    assert rows[0] == ["linkedin_url", *ADDED]
    assert [row[:3] for row in rows[1:]] == [
        [hit(1), "hit-1@example.com", "completed"],
        [miss(1), "", "not-found"],
    ]


async def test_programs_get_a_json_object_a_row(lists: ListShell) -> None:
    lists.write("Name,Name,,LinkedIn", f"Zoë,Z,x,{hit(1)}", f",,,{miss(1)}")
    out = lists.out.with_suffix(".jsonl")
    assert (await lists.run("--yes", "--out", str(out))).code == 0
    found, missed = map(json.loads, out.read_text("utf-8").splitlines())
    assert list(found) == ["Name", "Name_2", "column_3", "LinkedIn", *ADDED]
    assert (found["Name"], found["email"], found["credits"]) == ("Zoë", "hit-1@example.com", 1)
    assert (missed["email"], missed["status"], missed["credits"]) == (None, "not-found", None)
    assert (await lists.run("--yes", "--out", str(out))).code == 0


async def test_a_table_shows_the_answers_and_is_not_written_to_a_file(lists: ListShell) -> None:
    lists.write(hit(1), miss(1))
    shown = (await lists.run("--yes", "--format", "table")).out.splitlines()
    assert shown[0].split() == ["profile", *ADDED]
    assert shown[1].split()[:3] == ["hit-1", "hit-1@example.com", "completed"]
    refused = (await lists.saved("--format", "table")).refused(code=2)
    assert "a table is not written to a file" in refused


async def test_an_answer_is_no_formula_and_the_input_is_not_changed(lists: ListShell) -> None:
    url = "https://www.linkedin.com/in/eve-example"
    body = {"_id": "a1", "status": "completed", "linkedin_url": url}
    lists.vendor.will(replies(201, body | {"email": {"email": "=1+1@example.com"}}))
    lists.write("LinkedIn,Note", f"{url},=2+2")
    await lists.saved()
    [row] = lists.rows()
    assert (row["email"], row["Note"]) == ("'=1+1@example.com", "=2+2")


async def test_cells_that_were_a_strangers_card_are_no_formulas(lists: ListShell) -> None:
    lists.write("BEGIN:VCARD", "VERSION:3.0", "N:=1+1;Eve;;;", f"URL:{hit(1)}", "END:VCARD")
    await lists.saved()
    [row] = lists.rows()
    assert (row["last_name"], row["email"]) == ("'=1+1", "hit-1@example.com")


async def test_a_column_of_the_input_keeps_its_title(lists: ListShell) -> None:
    lists.write("LinkedIn;Email;status;", f"{hit(1)};old@example.com;cold;more;", f"{miss(1)}")
    await lists.saved()
    header, first, last = lists.out.read_text("utf-8").splitlines()
    added = "email_2;status_2;source;verification;checked_at;credits;reason"
    assert header == f"LinkedIn;Email;status;;{added}"
    assert first == f"{hit(1)};old@example.com;cold;more;hit-1@example.com;completed;;;;1;"
    assert last == f"{miss(1)};;;;;not-found;;;;;"


async def test_an_output_may_be_the_input_of_the_next_run(lists: ListShell) -> None:
    lists.write("Email,LinkedIn", f"x,{hit(1)}", f"y,{hit(2)}")
    await lists.saved("--max-credits", "1")
    later = lists.shell.folder / "later.csv"
    done = await lists.run("--yes", "--out", str(later), source=str(lists.out))
    assert done.code == 0
    assert list(lists.rows(later)[0]) == list(lists.rows()[0])
    assert {row["status"] for row in lists.rows(later)} == {"completed"}


async def test_no_other_file_is_ever_replaced(lists: ListShell) -> None:
    lists.write(hit(1))
    lists.out.write_text("my,own,notes\n")
    assert "not an earlier output of this list" in (await lists.saved()).refused(code=2)
    link = lists.shell.folder / "link.csv"
    os.link(lists.list_file, link)
    for same in (lists.list_file, link):
        refused = await lists.run("--yes", "--out", str(same))
        assert "is the input" in refused.refused(code=2)
    refused = await lists.run("--yes", "--out", os.devnull)
    assert "is not a file" in refused.refused(code=2)
    refused = await lists.run("--yes", "--out", "-")
    assert "Without --out, stdout is written." in refused.refused(code=2)
    nowhere = lists.shell.folder / "none" / "x.csv"
    dangling = lists.shell.folder / "dangling.csv"
    dangling.symlink_to(nowhere)
    for lost in (nowhere, dangling):
        refused = await lists.run("--yes", "--out", str(lost))
        assert "nothing can be written to the folder" in refused.refused(code=2)
    assert lists.out.read_text() == "my,own,notes\n"
    assert lists.list_file.read_text() == f"{hit(1)}\n"
    assert not lists.service.posted


async def test_a_list_of_nobody_is_written_and_says_so(lists: ListShell) -> None:
    lists.write("name,url")
    done = await lists.saved()
    assert (done.code, lists.rows()) == (0, [])
    assert f"Written to {lists.out}." in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="closes streams as a POSIX shell does")
async def test_a_stream_that_is_closed_is_like_the_null_device(lists: ListShell) -> None:
    lists.write(hit(1))
    for stream in range(3):
        done = await lists.saved(preexec_fn=partial(os.close, stream))
        assert (done.code, done.out) == (0, ""), done
        assert "Traceback" not in done.err
        assert lists.rows()[0]["email"] == "hit-1@example.com"
    done = await lists.run("--yes", source="-", preexec_fn=partial(os.close, 0))
    assert "stdin is empty" in done.refused()


async def test_a_list_without_profiles_is_refused_until_its_column_is_named(
    lists: ListShell,
) -> None:
    lists.write("Name,Web", f"Ada,{hit(1)}")
    refused = (await lists.saved()).refused()
    named = "only Name, Web: name it with --map url=COLUMN."
    assert refused.strip() == f"people.csv has no column of profiles, {named}"
    assert "--map: it is url=COLUMN" in (await lists.saved("--map", "Web")).refused(code=2)
    assert (await lists.saved("--map", "url=web")).code == 0
    assert lists.rows()[0]["email"] == "hit-1@example.com"


async def test_options_of_a_list_and_of_one_profile_are_not_mixed(lists: ListShell) -> None:
    lists.write(hit(1))
    assert "single URL" in (await lists.run("--refresh")).refused(code=2)
    assert "for a list" in (await lists.run("--max-credits", "0", source=hit(1))).refused(code=2)
    assert "does not exist" in (await lists.run(source="absent.csv")).refused()


async def test_a_refused_key_leaves_an_earlier_output_as_it_was(lists: ListShell) -> None:
    lists.write(hit(1))
    await lists.saved()
    before = lists.out.read_bytes()
    lists.write(hit(1), hit(2))
    lists.vendor.always(replies(401))
    assert "refused the API key" in (await lists.saved()).refused()
    assert lists.out.read_bytes() == before


async def test_the_preview_is_in_money_if_prices_are_set(shell: Shell) -> None:
    (shell.folder / "people.csv").write_text(f"{hit(1)}\n{hit(2)}\n")
    settings = {"SOURCES": "hunter", "HUNTER_API_KEY": "sk-1", "PRICES": "hunter=0.05"}
    done = shell.run("enrich", str(shell.folder / "people.csv"), CURRENCY="EUR", **settings)
    assert "This can cost 2 credits (0.10 EUR)" in done.err
    assert (done.code, done.out) == (2, "")
