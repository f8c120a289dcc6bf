from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_enrichment.service.contacts import external_sort
from mcp_enrichment.service.contacts.external_sort import sort_externally


@given(texts=st.lists(st.text("aäb\n", max_size=3)), run=st.integers(1, 5))
def test_texts_come_in_order(texts: list[str], run: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_sort, "RUN", run)
        assert list(sort_externally(texts)) == sorted(texts)
