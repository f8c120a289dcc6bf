from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcp_enrichment.service.contacts.staging import Staging


@given(texts=st.lists(st.text("aäb\n", max_size=3)), batch=st.integers(1, 5))
def test_staged_rows_come_in_order_and_equal_ones_as_they_were_added(
    texts: list[str], batch: int
) -> None:
    rows = [(text, "work", "", *[""] * 8, number) for number, text in enumerate(texts)]
    with Staging() as staged:
        staged.add_emails(rows)
        found = [row for some in staged.emails(batch) for row in some]
    assert found == sorted(rows, key=lambda row: row[0])
