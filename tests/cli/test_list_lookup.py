"""A run over a list ends by itself when nobody answers any more, or when its disk is full."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.cli import list_lookup
from mcp_enrichment.cli.list_lookup import ListLookup
from mcp_enrichment.cli.list_table import ListTable
from mcp_enrichment.client.client import EnrichmentClient
from mcp_enrichment.client.state.spending import CreditCap
from mcp_enrichment.contract.errors import CommandError
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.raw_rows import open_rows
from tests.support.list_service import ListService, hit
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scripted_server import ScriptedServer


@pytest.mark.anyio
async def test_a_list_that_nobody_answers_ends_and_goes_on_later(
    vendor: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.always(service := ListService(ends=1_000_000))
    service.end("hit-1")
    (tmp_path / "people.csv").write_text(f"{hit(1)}\n{hit(2)}\n")
    cap = CreditCap(list_id="mine", max_credits=2)
    idle_since_first = 3.0

    def show(run: ListLookup) -> None:
        monkeypatch.setattr(list_lookup, "IDLE_SECONDS", idle_since_first)

    memory = tmp_path / "memory.db"
    with closing(ListTable()) as table, open_rows(tmp_path / "people.csv") as rows:
        table.read(rows)
        async with EnrichmentClient(vendor.url, memory=memory, api_key="k-secret") as client:
            with anyio.fail_after(HANG):
                await (run := ListLookup(table)).run(client, EmailType.WORK, cap, show)
            assert (run.found, run.open) == (1, 1)
            assert [row.answer.status for row in table.answered()] == ["completed", "open"]
            assert await client.list_credits("mine") == 2


def test_a_list_that_does_not_fit_into_the_temporary_folder_is_refused(tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("".join(f"{hit(number)}\n" for number in range(5000)))
    with closing(ListTable()) as table, open_rows(people) as rows:
        table._db.execute("PRAGMA max_page_count = 20")  # SQLite's answer is that of a full disk
        with pytest.raises(
            CommandError, match=r"free space there, or set TMPDIR .*pays for nobody"
        ):
            table.read(rows)
