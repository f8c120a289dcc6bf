"""Any other table, whose columns the user names: `url=COLUMN,email=COLUMN`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.column_map import (
    PERSONAL,
    WORK,
    ColumnMap,
    EmailColumn,
    Titles,
    fold_title,
    signatures,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_EMAILS = {"email": None, "work_email": WORK, "personal_email": PERSONAL}
FIELDS = (
    *("url", *_EMAILS),
    *("first_name", "last_name", "name", "company", "position", "date"),
)
"""What a column can be named as."""


class InvalidColumnMap(ValueError):
    """The columns are not named in a way that can be used; its sentence says why."""


def parse_column_map(texts: Iterable[str]) -> ColumnMap | None:
    """The format that texts such as `url=Profile,email=Mail` describe; None for none.

    A title with a comma stands with its field in quotation marks. Raises `InvalidColumnMap`.
    """
    pairs = [_pair(part) for text in texts for part in _parts(text)]
    if not pairs:
        return None
    if not any(field in _EMAILS for field, _ in pairs):
        raise InvalidColumnMap("it names no column of addresses: add email=COLUMN")

    def titles(field: str) -> Titles:
        return tuple(title for named, title in pairs if named == field)

    return ColumnMap(
        name="csv",
        signatures=signatures(title for _, title in pairs),
        profiles=titles("url"),
        emails=tuple(EmailColumn(title, _EMAILS[f]) for f, title in pairs if f in _EMAILS),
        first_name=titles("first_name"),
        last_name=titles("last_name"),
        full_name=titles("name"),
        company=titles("company"),
        position=titles("position"),
        changed_at=titles("date"),
    )


def _parts(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return [text]


def _pair(text: str) -> tuple[str, str]:
    field, equals, title = text.partition("=")
    if not equals or field.strip() not in FIELDS or not fold_title(title):
        raise InvalidColumnMap(f"each part is FIELD=COLUMN, with one of {', '.join(FIELDS)}")
    return field.strip(), fold_title(title)
