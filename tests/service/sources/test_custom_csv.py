"""A table of an unknown program is read by the names of its columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.formats import InvalidColumnMap, parse_column_map
from mcp_enrichment.service.sources.exports.open_export import open_export
from mcp_enrichment.service.sources.exports.records import Contact, InvalidExport
from tests.support.exports import NO_EXPORT, refusal

TABLE = (
    'Who;"Profile, public";Mail;Private;Firm;Role;Since\n'
    "Okafor, Ada;linkedin.com/in/ada-example;ada@b.example;ada@c.example;Harbour;CTO;2026-03-05\n"
)
NAMED = (
    '"url=Profile, public",email=mail,personal_email=PRIVATE,name=Who',
    "company=Firm,position=Role,date=Since",
)


def test_a_table_is_read_by_the_columns_that_are_named(written: Any) -> None:
    with open_export(written(TABLE), columns=parse_column_map(NAMED)) as export:
        main, private = export.rows
    assert export.name == "csv"
    assert isinstance(main, Contact)
    assert isinstance(private, Contact)
    assert (main.first_name, main.last_name) == ("Ada", "Okafor")
    assert (main.company, main.position) == ("Harbour", "CTO")
    assert main.profile == "https://www.linkedin.com/in/ada-example"
    assert main.seen_at == datetime(2026, 3, 5, tzinfo=UTC).timestamp()
    assert (private.email, private.email_type) == ("ada@c.example", EmailType.PERSONAL)


def test_without_names_for_its_columns_it_is_refused_with_how_to_give_them(written: Any) -> None:
    assert refusal(written(TABLE, "mine.csv")) == f"mine.csv {NO_EXPORT}"


def test_a_column_that_the_table_does_not_have_is_reported(written: Any) -> None:
    columns = parse_column_map(["url=Profile,email=Mail"])
    with (
        pytest.raises(InvalidExport, match="has no header with those columns: check the titles"),
        open_export(written(TABLE), columns=columns),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("url=Profile", "names no column of addresses"),
        ("mail=Mail", "one of url, email, work_email"),
        ("email", "FIELD=COLUMN"),
        ("email=", "FIELD=COLUMN"),
        ("email=\r", "FIELD=COLUMN"),
    ],
)
def test_a_map_that_says_nothing_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidColumnMap, match=why):
        parse_column_map([text])


def test_no_map_is_none() -> None:
    assert parse_column_map([]) is None
