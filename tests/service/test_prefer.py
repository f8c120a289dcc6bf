"""The header `Prefer` is parsed as RFC 7240 defines it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.http import ENRICHMENTS
from tests.support.running_service import MISS, FixedSource, running_service

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("stated", "applied"),
    [
        (["wait=7"], "7"),
        (["Wait = 7"], "7"),
        (['wait="7"'], "7"),
        (["wait=0"], "0"),
        (["wait=007"], "7"),
        (["wait=60"], "60"),
        (["wait=61"], "60"),
        (["wait=12345678901"], "60"),
        (["wait=" + "9" * 9000], "60"),
        (["wait=" + "0" * 9000], "0"),
        (["respond-async, wait=7"], "7"),
        (["respond-async", "wait=7"], "7"),
        (["wait=7; x=y, handling=lenient"], "7"),
        (["wait=7, wait=9"], "7"),
        (['x="a, b\\", c", wait=7'], "7"),
        (['x="a, wait=1"'], None),
        (['x="a;wait=1", y'], None),
        (['x="never closed, wait=1'], None),
        (["handling=lenient; wait=1"], None),
        (["x=1; wait=1"], None),
        (["await=1"], None),
        (["wait"], None),
        (["wait="], None),
        (["wait=1x"], None),
        (["wait=1.5"], None),
        (["wait=-1"], None),
        (["wait=\u0663".encode().decode("latin-1")], None),
        (['"' * 3000 + '\\"' * 3000], None),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wait_is_found_where_it_is_stated_and_nowhere_else(
    path: Path, stated: list[str], applied: str | None
) -> None:
    async with running_service(path, FixedSource(MISS)) as it:
        request_id = await it.accepted()
        await it.final(request_id)
        headers = [(b"prefer", one.encode("latin-1")) for one in stated]
        answer = await it.http.get(f"{ENRICHMENTS}/{request_id}", headers=headers)
    expected = None if applied is None else f"wait={applied}"
    assert answer.headers.get("preference-applied") == expected
