"""The cost of a page does not grow with the history: each query of a list reads an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.console.console import Facts
from tests.console.visitor import visited_console
from tests.support.databases import change
from tests.support.running_service import ADA
from tests.support.sql_statements import statements

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
LARGE = ("requests", "ledger", "source_calls", "callbacks", "callback_attempts", "audit_log")
PAGES = (
    "",
    "/lookups",
    "/lookups?team=default&status=failed&source=x&before=9",
    f"/lookups/{'0' * 24}",
    "/sources",
    "/credits?before=9",
    "/callbacks?failed=1",
    "/callbacks?before=1.0~000000000000000000000000~1~1",
    "/privacy",
    "/teams",
)


async def test_no_page_reads_a_whole_table_that_grows(file: Path) -> None:
    async with visited_console(file, facts=Facts(sources=("hunter",))) as visitor:
        change(
            file,
            "INSERT INTO requests (id, team_id, linkedin_url, type, status, created_at)"  # noqa: S608
            f" VALUES ('{'0' * 24}', 1, '{ADA}', 'work', 'pending', 0)",
        )
        engine = visitor.it.service.database._engine
        with statements(engine) as said:
            for path in PAGES:
                await visitor.get(path)
            await visitor.post("/lookups/search", q=ADA)
        with engine.connect() as connection:
            plans = {
                text: [
                    str(step[-1])
                    for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
                ]
                for text, values in said
                if text.lstrip().startswith("SELECT")
            }
    assert len(plans) > 20
    assert [text for text, steps in plans.items() if _reads_all(text, steps)] == []


def _reads_all(text: str, steps: list[str]) -> bool:
    """Whether the plan reads a whole table: not if it reads from the end of a key up to a limit."""
    scanned = {step.split(" USING")[0] for step in steps} & {f"SCAN {table}" for table in LARGE}
    return bool(scanned) and ("LIMIT" not in text or "USE TEMP B-TREE FOR ORDER BY" in steps)
