"""The embedded service is called by functions. Each call ends as it would over HTTP."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_enrichment.app.in_process import InProcessApi
from mcp_enrichment.client import http_api
from mcp_enrichment.contract.models import EmailType, EnrichmentRequest
from tests.support.running_service import ADA, running_service, until

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_enrichment.service.context import ServiceContext

pytestmark = pytest.mark.anyio
WORK = EnrichmentRequest(linkedin_url=ADA, type=EmailType.WORK)


async def test_a_post_that_waited_long_for_its_turn_is_sent_and_its_outcome_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = list[str]()
    async with running_service(tmp_path / "service.db", jobs=False) as it:

        async def get_service() -> tuple[ServiceContext, int]:
            return it.service, it.team_id

        api = InProcessApi(get_service)

        async def post() -> None:
            ids.append((await api.post(WORK, key="k-1")).enrichment.id)

        async with anyio.create_task_group() as tasks, AsyncExitStack() as others:
            for _ in range(http_api.MAX_IN_FLIGHT):
                await others.enter_async_context(api.in_flight.one())
            with monkeypatch.context() as short:
                short.setattr(http_api, "POST_SECONDS", 0.01)
                tasks.start_soon(post)
                await until(lambda: api.in_flight._limit.statistics().tasks_waiting == 1)
                await anyio.sleep(0.05)  # longer than its time limit
        assert [(await it.get(one)).status_code for one in ids] == [200]
