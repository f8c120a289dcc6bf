"""In the test mode, each outcome can be forced over MCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.mcp.faces import data_of, error_of, face

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

pytestmark = pytest.mark.anyio

REQUEST = "request_email_enrichment"


def _asked(scenario: str) -> dict[str, Any]:
    return {
        "linkedin_url": f"linkedin.com/in/sandbox-{scenario}",
        "type": "work",
        "wait_seconds": 50,
    }


async def test_every_outcome_can_be_forced(embedded: Settings, era: str) -> None:
    settings = embedded.model_copy(update={"sandbox": True})
    async with face(settings, era) as client:
        for scenario, status in (("found", "completed"), ("not-found", "not-found")):
            told = data_of(await client.call_tool(REQUEST, _asked(scenario)))
            assert told["status"] == status
            assert told["next_step"].startswith("This is a sandbox answer")
        slow = data_of(await client.call_tool(REQUEST, _asked("slow-20") | {"wait_seconds": 0}))
        assert not slow["is_final"]
        failed = data_of(await client.call_tool(REQUEST, _asked("failed")))
        assert (failed["status"], failed["credits_charged"]) == ("failed", 0)
        refused = error_of(await client.call_tool(REQUEST, _asked("no-credits")))
        assert (refused["code"], refused["charged"]) == ("insufficient_credits", False)
        limited = error_of(await client.call_tool(REQUEST, _asked("rate-limited")))
        assert (limited["code"], limited["retry_after_seconds"]) == ("rate_limited", 30)
