from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_enrichment.service.domain import ordering
from mcp_enrichment.service.domain.ordering import in_order

ROWS = st.lists(st.tuples(st.sampled_from("aäb"), st.text(max_size=3), st.integers()).map(list))


@given(rows=ROWS, run=st.integers(1, 5))
def test_rows_come_in_order_and_equal_ones_as_they_came(rows: list[list[object]], run: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "RUN", run)
        assert list(in_order(rows, by=2)) == sorted(rows, key=lambda row: row[:2])
