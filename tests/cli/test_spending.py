"""`sources report` shows what each source was asked, found and cost: to people and to programs."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.spending_history import PRICES, SETTINGS, store_history

if TYPE_CHECKING:
    from tests.cli.commands import Shell


@pytest.fixture(autouse=True)
def _history(shell: Shell) -> None:
    store_history(shell.database)


def report(shell: Shell, *options: str, **settings: str) -> str:
    done = shell.run("sources", "report", *options, **(SETTINGS | settings))
    assert (done.code, done.err) == (0, "")
    return done.out


def test_in_a_pipe_it_is_an_aligned_table_with_a_total_and_the_cheapest_order(
    shell: Shell,
) -> None:
    shown = report(shell, **PRICES)
    assert shown.startswith(
        """\
source    asked  found  not found  lost  credits  spent (EUR)  one address (EUR)  median
contacts    400    100        300     0        0         0.00             0.0000   0.0 s
wiza        299    120        176     2      536        26.80             0.2233  14.5 s
prospeo     178     80         98     0       81         1.62             0.0203   0.8 s
inferred    108      0        108     0        0         0.00                  -   0.0 s
total                                                   28.42

Not answered by wiza: 3 of 299. Its invoice may be up to 9 of its credits higher.
The cheapest order for work addresses: contacts, prospeo, wiza. A lookup costs """
    )
    assert re.search(r"\d EUR in place of 0\.\d{4}, a saving of .* \(90% interval\)\.", shown)
    assert shown.splitlines()[-1].startswith("A later source was asked only about people")


def test_without_a_price_each_figure_is_in_credits_and_the_missing_price_is_named(
    shell: Shell,
) -> None:
    lines = report(shell, PRICES="wiza=0.05").splitlines()
    assert " ".join(lines[3].split()) == "prospeo 178 80 98 0 81 - 1.0125 credits 0.8 s"
    assert lines[5].split() == ["total", "-"]
    assert "No total in money: ENRICHMENT_PRICES has no price of prospeo." in lines
    needs = "The cheapest order for work addresses needs a price in ENRICHMENT_PRICES for prospeo."
    assert needs in lines


def test_a_source_that_few_were_asked_of_has_no_place_in_an_order_yet(shell: Shell) -> None:
    settings = {
        "SOURCES": "contacts,wiza,hunter",
        "HUNTER_API_KEY": "sk-3",
        "PRICES": "wiza=0.05,hunter=0.1",
    }
    lines = report(shell, **settings).splitlines()
    assert "The cheapest order for work addresses needs 20 answers of each: hunter has 0." in lines


def test_a_program_gets_the_same_figures_as_json_with_exact_amounts(shell: Shell) -> None:
    told = json.loads(report(shell, "--format", "json", **PRICES))
    assert (told["currency"], told["total"], told["not_priced"]) == ("EUR", "28.42", [])
    assert told["sources"][1] == {
        "source": "wiza",
        "asked": 299,
        "found": 120,
        "not_found": 176,
        "lost": 2,
        "open": 1,
        "credits": "536.0",
        "money": "26.80",
        "credits_per_address": "4.4667",
        "money_per_address": "0.2233",
        "median_seconds": 14.5,
        "unknown_credits": "9.0",
    }
    [order] = told["orders"]
    assert (order["email_type"], order["order"]["is_present"]) == ("work", False)
    assert order["order"]["sources"] == ["contacts", "prospeo", "wiza"]


def test_a_spreadsheet_gets_the_sources_and_runs_no_cell(shell: Shell) -> None:
    settings = PRICES | {"CURRENCY": "=1+1"}
    rows = list(csv.DictReader(io.StringIO(report(shell, "--format", "csv", **settings))))
    assert [row["source"] for row in rows] == SETTINGS["SOURCES"].split(",")
    assert (rows[2]["money"], rows[3]["money_per_address"]) == ("1.62", "")
    assert {row["currency"] for row in rows} == {"'=1+1"}


def test_a_type_and_a_period_without_calls_have_empty_rows_and_no_order(shell: Shell) -> None:
    for options in (["--type", "personal"], ["--since", "30"]):
        lines = report(shell, *options, **PRICES).splitlines()
        assert " ".join(lines[2].split()) == "wiza 0 0 0 0 0 0.00 - -"
        assert lines[6:] == [""]


def test_a_terminal_gets_a_ruled_table_in_which_no_text_is_markup(shell: Shell) -> None:
    pty = pytest.importorskip("pty")
    ours, its = pty.openpty()
    settings = SETTINGS | PRICES | {"CURRENCY": "[b]:x:"}
    with shell.start("sources", "report", popen={"stdout": its}, **settings) as command:
        os.close(its)
        shown = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
    assert command.returncode == 0
    text = re.sub(r"\x1b\[[\d;]*m", "", shown.decode())
    assert "───" in text
    assert "[b]:x:" in text.replace("\r\n", "").replace(" ", "")
    assert "wiza" in text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's answer once no process has the other end
        return b""


def test_a_service_elsewhere_is_not_reported_on(shell: Shell) -> None:
    done = shell.run("sources", "report", API_KEY="sk-1", **SETTINGS)
    assert "Run this where the service runs" in done.refused(code=2)
