"""No import gives one person's address to another person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.service.sources.exports.records import Contact, Skipped, SkipReason
from tests.support.exports import HEADER, rows

if TYPE_CHECKING:
    from pathlib import Path

HOME = "https://www.linkedin.com/in/"
BOM = "\ufeff"


def card(name: str, *more: str) -> str:
    lines = (f"FN:{name}", f"EMAIL:{name}@work.example", f"URL:{HOME}{name}-example", *more)
    return "\r\n".join(("BEGIN:VCARD", "VERSION:2.1", *lines, "END:VCARD", ""))


def agent(*lines: str) -> str:
    return "\r\n".join(("BEGIN:VCARD", "VERSION:2.1", *lines, "END:VCARD"))


def found_in(path: Path) -> tuple[dict[str, str | None], list[SkipReason]]:
    """The person of each address, and the counts of other records."""
    found = rows(path)
    contacts = {row.email: row.profile for row in found if isinstance(row, Contact)}
    return contacts, [row.reason for row in found if isinstance(row, Skipped)]


def of(*names: str) -> dict[str, str | None]:
    return {f"{name}@work.example": f"{HOME}{name}-example" for name in names}


ADA, BOB = card("ada"), card("bob")
CUT = SkipReason.UNREADABLE
TOGETHER = {
    "glued at the end mark": (ADA.rstrip() + BOB, ("ada", "bob"), []),
    "glued with a space between": (ADA.rstrip() + " " + BOB, ("ada", "bob"), []),
    "glued with a byte order mark between": (ADA.rstrip() + BOM + BOB, ("ada", "bob"), []),
    "three that are glued": ((ADA.rstrip() + BOB.rstrip() + card("cy")), ("ada", "bob", "cy"), []),
    "with marks in lower case": ((ADA.rstrip() + BOB).lower(), ("ada", "bob"), []),
    "with a space within the marks": (
        (ADA + BOB).replace("N:VCARD", "N: VCARD").replace("D:VCARD", "D : vCard"),
        ("ada", "bob"),
        [],
    ),
    "a byte order mark before each": (BOM + ADA + BOM + BOB, ("ada", "bob"), []),
    "two byte order marks": (BOM + BOM + ADA + BOB, ("ada", "bob"), []),
    "blank lines before each": ("\r\n\r\n" + ADA + "\r\n \r\n" + BOB, ("ada", "bob"), []),
    "blank lines after each line": (
        (ADA + BOB).replace("\r\n", "\r\n\r\n"),
        ("ada", "bob"),
        [],
    ),
    "lines that end twice": ((ADA + BOB).replace("\r\n", "\r\r\n"), ("ada", "bob"), []),
    "lines of an old Mac": ((ADA + BOB).replace("\r\n", "\r"), ("ada", "bob"), []),
    "cut off at the end of a line": (ADA.replace("END:VCARD\r\n", "") + BOB, ("bob",), [CUT]),
    "cut off amid a line": (ADA[: ADA.index("@work") + 3] + BOB, ("bob",), [CUT]),
    "cut off amid the end mark": (ADA[: ADA.index("END:") + 6] + BOB, ("bob",), [CUT]),
    "cut off amid a soft line": (
        ADA.replace("END:VCARD\r\n", "NOTE;QUOTED-PRINTABLE:abc=\r\n") + BOB,
        ("bob",),
        [CUT],
    ),
    "the last one cut off": (ADA + BOB.replace("END:VCARD\r\n", ""), ("ada",), [CUT]),
    "the second one without its beginning": (
        ADA + BOB.replace("BEGIN:VCARD\r\n", ""),
        ("ada",),
        [CUT],
    ),
    "the marks between two lost": (
        ADA.replace("END:VCARD\r\n", "") + BOB.replace("BEGIN:VCARD\r\n", ""),
        (),
        [CUT],
    ),
    "one within another that is no agent's": (
        ADA.replace("FN:", BOB + "FN:"),
        ("bob",),
        [CUT, CUT],
    ),
}
AGENT = agent("FN:Bob", "EMAIL:bob@work.example", f"URL:{HOME}bob-example")
NESTED = {
    "below an empty value": f"AGENT:\r\n{AGENT}",
    "below a value that is blank": f"AGENT: \r\n\r\n{AGENT}",
    "on the line of its name": f"AGENT:{AGENT}",
    "with parameters and a group": f"item1.AGENT;X-SINCE=2001:\r\n{AGENT}",
    "in lower case": f"AGENT:\r\n{AGENT}".lower(),
    "escaped, as in version 3": "AGENT:" + AGENT.replace("\r\n", "\\n"),
    "folded into one value": "AGENT:\r\n " + AGENT.replace("\r\n", "\r\n "),
    "of an agent that has one": f"AGENT:\r\n{AGENT}".replace("FN:Bob", f"AGENT:\r\n{AGENT}"),
    "two agents": f"AGENT:\r\n{AGENT}\r\nAGENT:\r\n{AGENT}",
    "glued to the next line": f"AGENT:\r\n{AGENT}NOTE:x",
}


@pytest.mark.parametrize(("text", "names", "others"), TOGETHER.values(), ids=TOGETHER)
def test_cards_in_one_file_stay_apart_and_each_is_counted(
    written: Any, text: str, names: tuple[str, ...], others: list[SkipReason]
) -> None:
    contacts, reasons = found_in(written(text))
    assert contacts == of(*names)
    assert reasons == others


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("before", ["FN:ada", "EMAIL:", "END:VCARD"])
def test_the_address_of_an_agent_is_not_the_owners(written: Any, nested: str, before: str) -> None:
    owner = ADA.replace(before, f"{nested}\r\n{before}")
    contacts, reasons = found_in(written(owner + card("cy")))
    assert contacts == of("ada", "cy")
    assert reasons == []


def test_an_agents_card_without_an_end_makes_its_owners_unreadable(written: Any) -> None:
    owner = ADA.replace("FN:ada", f"AGENT:\r\n{AGENT.removesuffix('END:VCARD')}FN:ada")
    assert found_in(written(owner + card("cy"))) == (of("cy"), [CUT])


def test_a_property_that_says_agent_but_holds_no_card_changes_nothing(written: Any) -> None:
    assert found_in(written(card("ada", "AGENT:") + BOB)) == (of("ada", "bob"), [])
    assert found_in(written(card("ada", "AGENT;VALUE=uri:cid:bob@work.example"))) == (of("ada"), [])


def test_lines_that_are_indented_are_read_as_the_card_they_are(written: Any) -> None:
    assert found_in(written(ADA.replace("\r\n", "\r\n    ") + "\r\n" + BOB))[0] == of("ada", "bob")


def test_a_profile_that_was_folded_is_not_cut_at_a_blank_line(written: Any) -> None:
    folded = ADA.replace("ada-example", "ada-exam\r\n ple").replace("\r\n", "\r\r\n")
    assert found_in(written(folded))[0] == of("ada")


def test_a_line_that_is_longer_than_a_read_gives_no_properties_of_its_own(written: Any) -> None:
    note = "NOTE:" + "x" * (64 * 2**10 - 5) + "EMAIL:bob@work.example"
    assert found_in(written(card("ada", note)))[0] == of("ada")


@pytest.mark.parametrize(
    "label", ["Assistant", "Assistant's email", "_$!<Assistant>!$_", "Manager", "Spouse"]
)
def test_an_address_that_a_card_labels_as_somebody_elses_is_skipped(
    written: Any, label: str
) -> None:
    lines = ("item1.EMAIL:bob@work.example", f"item1.X-ABLabel:{label}")
    url = (f"item2.URL:{HOME}bob-example", f"item2.X-ABLabel:{label} LinkedIn")
    text = card("ada", *lines).replace("FN:ada", "\r\n".join((*url, "FN:ada")))
    assert found_in(written(text)) == (of("ada"), [SkipReason.SOMEBODY_ELSE])


def test_an_address_that_google_labels_as_somebody_elses_is_skipped(written: Any) -> None:
    text = (
        "First Name,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,"
        "Website 1 - Label,Website 1 - Value,Website 2 - Label,Website 2 - Value\n"
        f"ada,,Work,ada@work.example,Assistant,bob@work.example,"
        f"Manager LinkedIn,{HOME}bob-example,LinkedIn,{HOME}ada-example\n"
    )
    assert found_in(written(text)) == (of("ada"), [SkipReason.SOMEBODY_ELSE])


def row(name: str) -> str:
    return f"{name},Example,{HOME}{name}-example,{name}@work.example,Harbour,Owner,05 Mar 2024\r\n"


ROWS = {
    "a second header": (HEADER + row("ada") + HEADER + row("bob"), ("ada", "bob"), []),
    "a second header behind a byte order mark": (
        BOM + HEADER + row("ada") + BOM + HEADER + row("bob"),
        ("ada", "bob"),
        [],
    ),
    "a second header that is glued": (
        HEADER + row("ada").rstrip() + HEADER + row("bob"),
        ("ada", "bob"),
        [],
    ),
    "a second file of another order": (
        HEADER
        + row("ada")
        + "Email Address,Connected On,First Name,URL\r\n"
        + f"bob@work.example,05 Mar 2024,bob,{HOME}bob-example\r\n",
        ("ada", "bob"),
        [],
    ),
    "a byte order mark before a row": (
        HEADER + BOM + row("ada") + row("bob"),
        ("ada", "bob"),
        [],
    ),
    "a row that is cut off before another": (
        HEADER + row("cy")[:44] + row("ada") + row("bob"),
        ("bob",),
        [SkipReason.BAD_EMAIL],
    ),
    "a quotation mark that takes in the next address": (
        f'Record ID,LinkedIn URL,Email\n1,{HOME}ada-example,"ada@work.example\n'
        f'2,{HOME}bob-example,bob@work.example"\n3,{HOME}cy-example,cy@work.example\n',
        ("cy",),
        [SkipReason.BAD_EMAIL],
    ),
}


@pytest.mark.parametrize(("text", "names", "others"), ROWS.values(), ids=ROWS)
def test_rows_of_several_files_in_one_stay_apart(
    written: Any, text: str, names: tuple[str, ...], others: list[SkipReason]
) -> None:
    assert found_in(written(text)) == (of(*names), others)


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        (f"{HOME}www.linkedin.com/in/ada-example", "ada-example"),
        (f"{HOME}linkedin.com/in/ada-example", "ada-example"),
        (f"{HOME}pub/ada-example/1/2/3", "ada-example-0030021"),
        (f"{HOME}pub/", None),
        (f"{HOME}www.linkedin.com", None),
        (f"{HOME}bob-example/{HOME}ada-example", None),
        (f"{HOME}bob-example{HOME}ada-example", None),
        ("linkedin.com/in/bob-examplelinkedin.com/in/ada-example", None),
    ],
)
def test_a_url_within_a_url_names_the_person_that_it_means_or_nobody(
    written: Any, url: str, slug: str | None
) -> None:
    contacts, _ = found_in(written(HEADER + row("ada").replace(f"{HOME}ada-example", url)))
    assert contacts == {"ada@work.example": slug and HOME + slug}
