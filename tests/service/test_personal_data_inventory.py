"""Every table with personal data is in the inventory, and so in an erasure."""

from __future__ import annotations

import re

from mcp_enrichment.service.db import schema
from mcp_enrichment.service.privacy.personal_data_inventory import PERSONAL

SOUNDS_PERSONAL = re.compile(
    "mail|url|linkedin|profile|name|address|phone|company|position|title|location|external"
    "|evidence|answer|raw|payload|body|notes?$|key$|print$"
)
NOT_PERSONAL = {
    "teams.name": "a team's",
    "privacy_key.fingerprint": "a hash of the key alone",
    "privacy_key.key": "random",
    "source_calls.answered_at": "a time",
}
"""Columns that only sound personal, and what they hold."""


def test_each_column_that_sounds_personal_is_in_the_inventory_or_listed_as_harmless() -> None:
    known = {f"{held.table.name}.{name}" for held in PERSONAL for name in held.columns}
    sounding = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if SOUNDS_PERSONAL.search(column.name)
    }
    assert sounding - known == set(NOT_PERSONAL)


def test_rows_are_deleted_before_the_rows_that_they_refer_to() -> None:
    tables = [held.table for held in PERSONAL]
    for held in PERSONAL:
        if held.link:
            assert tables.index(held.link[1].table) < tables.index(held.table)
    deleted = {held.table for held in PERSONAL if held.emptied is None}
    for table in schema.metadata.tables.values():
        targets = {key.column.table for key in table.foreign_keys}
        assert not targets & deleted or table in deleted, f"{table.name} would be left behind"


def test_an_emptied_row_keeps_none_of_its_personal_columns() -> None:
    for held in PERSONAL:
        if held.emptied is not None:
            assert set(held.columns) <= held.emptied.keys()
