"""In any file, each address is given to its own person or to nobody, and all records are counted.

The files are generated in the ways of programs and people: cards or rows one after the other,
glued, nested, cut off, or joined from several files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_enrichment.service.contacts.contact_import import ImportReport
from mcp_enrichment.service.sources.exports.records import Contact, Skipped
from tests.support.exports import HEADER, NOTES, WRITTEN_AT, read_export

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOME = "https://www.linkedin.com/in/"
UNCLEAR_END = re.compile(r"(?:AGENT[^:\n]*:?|NOTE:BEGIN:VCARD)\s*\Z")
"""After it, it is unclear whose the next card is. A line that ends with the mark begins a card."""
MARKS = ("BEGIN:VCARD", "END:VCARD")


@dataclass(frozen=True)
class Person:
    """A person of the file, by number, which is in all of that person's data."""

    number: int

    @property
    def profile(self) -> str:
        return f"{HOME}person-{self.number:05}-example"

    @property
    def email(self) -> str:
        return f"p{self.number:05}@work.example"


@dataclass(frozen=True)
class Piece:
    """A part of a file: the number of its cards or rows, and the people who must get an address."""

    text: str
    counts: int
    whole: tuple[Person, ...]
    is_rest: bool = False
    """Whether its beginning is missing."""


AGENT_OF = 50_000
"""Added to a person's number, it is the number of that person's agent."""
lines_of_cards = st.lists(
    st.sampled_from(
        [
            *(
                "NOTE:any",
                "TEL;CELL:+1 555 0100",
                "REV:20240305T101010Z",
                "NOTE:END:VCARD, as said",
            ),
            *("PHOTO;ENCODING=BASE64:AAAA\r\n AAAA\r\n", "N:Example;Person;;;", "AGENT:"),
            *(
                "NOTE;ENCODING=QUOTED-PRINTABLE:a=\r\nb",
                "X-UNKNOWN;X-A=1:x",
                "item1.X-ABLabel:Work",
            ),
            *("", "NOTE:BEGIN:VCARD is how it begins", "ORG:Harbour\\, Inc.;Sales"),
        ]
    ),
    max_size=4,
)
separators = st.sampled_from(["\r\n", "", "\r\n\r\n", "\r\n\ufeff", "\ufeff", " ", "\r\n \t\r\n"])


def _card(lines: Sequence[str]) -> str:
    return "\r\n".join((MARKS[0], "VERSION:2.1", *lines, MARKS[1]))


@st.composite
def pieces_of_cards(draw: st.DrawFn, number: int) -> Piece:
    """A whole card, one that contains an agent's card, one that is cut off, or the rest of one."""
    person, agent = Person(number), Person(number + AGENT_OF)
    own = [f"EMAIL;INTERNET:{person.email}", f"URL:{person.profile}", *draw(lines_of_cards)]
    lines = list(draw(st.permutations(own)))
    lines = [*lines, "NOTE:last"]
    if draw(st.booleans()):
        card = _card([f"EMAIL:{agent.email}", f"URL:{agent.profile}"])
        beginning = draw(st.sampled_from(["AGENT:\r\n", "AGENT:", "AGENT;X-A=1:\r\n\r\n"]))
        lines.insert(draw(st.integers(0, len(lines))), beginning + card)
    text = _card(lines)
    match draw(st.sampled_from(["whole", "whole", "cut", "rest"])):
        case "cut":
            # After the mark at its beginning is complete, and before the one at its end is.
            end = draw(st.integers(len(MARKS[0]) + 3, len(text) - 1))
            if not UNCLEAR_END.search(text[:end]):
                return Piece(text[:end], 1, ())
        case "rest":
            rest = "\r\n".join(("VERSION:2.1", f"EMAIL:{person.email}", MARKS[1]))
            return Piece(rest, 1, (), is_rest=True)
    return Piece(text, 1, (person,))


@st.composite
def files_of_cards(draw: st.DrawFn) -> tuple[str, list[Piece]]:
    first = Piece(_card([f"EMAIL:{Person(0).email}", f"URL:{Person(0).profile}"]), 1, (Person(0),))
    numbers = range(1, draw(st.integers(1, 8)))
    pieces = [first, *(draw(pieces_of_cards(number)) for number in numbers)]
    # The rest of one card after the beginning of another, without a mark between them, is one card.
    pieces = [p for before, p in pairwise([first, *pieces]) if before.whole or not p.is_rest]
    return "".join(piece.text + draw(separators) for piece in pieces), pieces


@st.composite
def pieces_of_tables(draw: st.DrawFn, number: int) -> Piece:
    person = Person(number)
    position = draw(
        st.sampled_from(["Owner", '"Owner, ""Sales"""', '"Head\r\nof Sales"', "", '5"'])
    )
    cells = (
        *(f"Person{number}", "Example", person.profile, person.email),
        *(draw(st.sampled_from(["Harbour", '"Harbour, Inc."', ""])), position, "05 Mar 2024"),
    )
    row = ",".join(cells) + draw(st.sampled_from(["\r\n", "\n"]))
    match draw(st.sampled_from(["row", "row", "row", "header", "no address", "cut"])):
        case "header":
            before = draw(st.sampled_from(["", "\ufeff"]))
            return Piece(before + HEADER + row, 1, (person,))
        case "no address":
            return Piece(row.replace(person.email, ""), 1, ())
        case "cut":
            return Piece(row[: row.index(person.email)] + "\r\n", 1, ())
    return Piece(row, 1, (person,))


@st.composite
def files_of_rows(draw: st.DrawFn) -> tuple[str, list[Piece]]:
    pieces = [draw(pieces_of_tables(number)) for number in range(draw(st.integers(1, 10)))]
    beginning = draw(st.sampled_from(["", "\ufeff", NOTES, "\r\n\r\n"])) + HEADER
    return beginning + "".join(piece.text for piece in pieces), pieces


def _check(folder: Path, text: str, pieces: Sequence[Piece], encoding: str) -> None:
    path = folder / "any"
    path.write_bytes(text.encode(encoding))
    os.utime(path, (WRITTEN_AT, WRITTEN_AT))
    found = list(read_export(path))
    told = {row.email: row.profile for row in found if isinstance(row, Contact)}
    assert told == {person.email: person.profile for piece in pieces for person in piece.whole}
    report = ImportReport()
    people = [person for person in report.contacts_among(found) if not isinstance(person, Contact)]
    assert all(told.get(_email_of(person.profile)) is None for person in people)
    assert report.read == sum(piece.counts for piece in pieces)
    assert report.read == report.stored + report.skipped.total()
    assert not any(isinstance(row, Skipped) and row.is_part for row in found)


def _email_of(profile: str) -> str:
    return Person(int(profile.removeprefix(f"{HOME}person-")[:5])).email


any_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
encodings = st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-16-le", "utf-16-be"])


@any_folder
@given(files_of_cards(), encodings)
def test_each_address_in_cards_is_its_persons_or_nobodys_and_every_card_counts(
    tmp_path: Path, file: tuple[str, list[Piece]], encoding: str
) -> None:
    _check(tmp_path, *file, encoding)


@any_folder
@given(files_of_rows(), encodings)
def test_each_address_in_rows_is_its_persons_or_nobodys_and_every_row_counts(
    tmp_path: Path, file: tuple[str, list[Piece]], encoding: str
) -> None:
    _check(tmp_path, *file, encoding)
