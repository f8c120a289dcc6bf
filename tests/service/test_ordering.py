from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_enrichment.service.domain import ordering
from mcp_enrichment.service.domain.ordering import in_order


@given(texts=st.lists(st.text("aäb\n", max_size=3)), run=st.integers(1, 5))
def test_texts_come_in_order(texts: list[str], run: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "RUN", run)
        assert list(in_order(texts)) == sorted(texts)
