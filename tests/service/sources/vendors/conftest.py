"""Vendors without a rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.factory import NAMES, vendor_class

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def unhurried() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for name in NAMES:
            patched.setattr(vendor_class(name), "limit", SourceLimit())
        yield
