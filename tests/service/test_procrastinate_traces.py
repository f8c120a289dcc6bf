"""The trace of a request continues in the worker process that runs its jobs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import Shell
from tests.support.running_service import running_service
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG
from tests.tracing.conftest import collector, receiver

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tracing.collector import Collector

pytestmark = pytest.mark.anyio
__all__ = ["collector", "receiver"]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def test_a_worker_goes_on_with_the_trace_that_a_request_came_with(
    url: str, tmp_path: Path, collector: Collector, receiver: ScriptedServer
) -> None:
    receiver.will(replies(204))
    allowed = {"CALLBACK_NETWORKS": "127.0.0.0/8", "CALLBACK_PORTS": str(receiver.port)}
    async with running_service(url, jobs=False, allow_private=True) as it:
        traced = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        await it.post(headers=traced, callback_url=receiver.url)
        process = Shell(tmp_path).start("worker", DATABASE_URL=url, **allowed)
        try:
            await collector.has("look up", "deliver callback")
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=HANG)[0] == ""
        finally:
            process.kill()
    found = [collector.spans[name] for name in ("look up", "deliver callback")]
    assert {span.trace_id.hex() for span in found} == {TRACE}
    assert {span.parent_span_id.hex() for span in found} == {CALLER}
    assert receiver.seen[0].headers["traceparent"].split("-")[1] == TRACE
