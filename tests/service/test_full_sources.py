"""What a user relies on whose paid source is full: what another one knows is answered at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.service.domain.turns import Turns
from mcp_enrichment.service.store.turns import Limit
from tests.support.serving import ADA, HIT, MISS, Says, Slow, ledger_is_exact, serving, until

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.sources.port import Outcome

pytestmark = pytest.mark.anyio


class KnowsOne(Says):
    """A source that costs nothing, and knows one of the profiles."""

    async def find(self, profile: str, kind: EmailType) -> Outcome:
        return HIT if profile == f"{ADA}-known" else await super().find(profile, kind)


async def test_who_waits_for_a_full_source_holds_up_nobody_that_another_source_answers(
    path: Path,
) -> None:
    own, full = KnowsOne(MISS, name="own"), Slow(HIT)
    turns = Turns({full.name: Limit(at_once=1)})
    async with serving(path, own, full, concurrency=2, turns=turns) as it:
        waiting = [await it.accepted(linkedin_url=f"{ADA}-{number}") for number in range(5)]
        await until(lambda: turns.waiting == 4)
        body = await it.final(await it.accepted(linkedin_url=f"{ADA}-known"))
        assert body["source"] == "own"
        full.may_answer.set()
        for request_id in waiting:
            await it.final(request_id)
    ledger_is_exact(path)
