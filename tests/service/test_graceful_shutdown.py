"""During a deployment or restart, the answer of a running vendor call, which may be paid already,
is waited for, and nothing new is begun."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from mcp_enrichment.service.lookup import vendor_calls
from tests.support.contract_server import enrichment
from tests.support.databases import rows, settings_of
from tests.support.forks import popen
from tests.support.fresh_copy import ROOT
from tests.support.lookup_outcomes import run_to_completion
from tests.support.running_service import ADA, HIT, Clock, ledger_is_exact, running_service, until
from tests.support.scripted_server import Behaviour, replies
from tests.support.scripted_vendors import scripted_vendor
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.support.databases import Place
    from tests.support.scripted_server import ReceivedRequest, ScriptedServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="has no such signals"),
]
ADDRESS = "ada.okafor@okafor.example"
FOUND = replies(200, {"contact": {"email": ADDRESS}})
MISSED = replies(404, {"error": "Not found"})
ENDED = "SELECT status, email, source, verification FROM requests WHERE completed_at IS NOT NULL"
CALLS = "SELECT source, state, cost, attempts FROM source_calls"
OWNERS = "SELECT lease_owner FROM jobs"
LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN \"procrastinate%'"
COMMANDS = {
    "service": ["service", "--port", "0"],
    "mcp": ["serve", "--http", "--port", "0"],
    "worker": ["worker"],
}


@dataclass
class Gated:
    """A vendor that shows when it was called, and answers when the test lets it."""

    answer: Behaviour = FOUND
    asked: anyio.Event = field(default_factory=anyio.Event)
    may_answer: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        self.asked.set()
        await self.may_answer.wait()
        await self.answer(stream, seen)


@dataclass
class Program:
    """A process with work, and the place or port that shows whether it is stopping."""

    process: subprocess.Popen[str]
    place: Place
    port: int | None

    async def stop(self, end: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal, and return once it has begun to stop."""
        self.process.send_signal(end)
        await until(self._is_stopping)

    def _is_stopping(self) -> bool:
        """Whether it accepts no connection, or, as a worker, no longer listens for jobs."""
        if self.port is None:
            return rows(self.place, LISTENERS) == [(0,)]
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self.port)) != 0

    async def ended(self) -> None:
        """Return once it has ended cleanly."""
        out, err = await anyio.to_thread.run_sync(lambda: self.process.communicate(timeout=HANG))
        assert (self.process.returncode, out, err) == (0, "", "")


@contextmanager
def program(
    place: Place,
    command: str,
    vendor: ScriptedServer,
    *,
    sources: str = "findymail",
    **settings: Any,
) -> Iterator[Program]:
    """The command, running."""
    ours = {"SOURCES": sources, "LOG_LEVEL": "ERROR"} | settings
    keys = {f"{name.upper()}_API_KEY": "sk-test-1" for name in sources.split(",")}
    named = {f"ENRICHMENT_{name}": str(value) for name, value in (ours | keys).items()}
    with popen(
        [sys.executable, "-m", "tests.support.program_with_local_vendors", *COMMANDS[command]],
        cwd=ROOT,
        env=os.environ | settings_of(place) | named | {"VENDORS_AT": vendor.url},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stderr
            where = re.search(r"127\.0\.0\.1:(\d+)", process.stderr.readline())
            yield Program(process, place, int(where[1]) if where else None)
        finally:
            process.kill()


@pytest.fixture(
    params=["service on a file", "mcp on a file", "service on Postgres", "worker on Postgres"]
)
def at(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Place, str]:
    """A database, and the command that works on it."""
    monkeypatch.setenv("ENRICHMENT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ENRICHMENT_HTTP_OPEN", "true")
    command, _, where = request.param.partition(" on ")
    return request.getfixturevalue("path" if where == "a file" else "url"), command


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_an_answer_of_a_vendor_after_the_signal_is_kept_and_returned(
    at: tuple[Place, str], vendor: ScriptedServer, end: signal.Signals
) -> None:
    place, _ = at
    gated = Gated()
    vendor.will(gated)
    async with running_service(place, jobs=False) as it:
        await it.accepted()
        with program(*at, vendor) as process:
            await _until_called(gated)
            await process.stop(end)
            later = await it.accepted(linkedin_url=f"{ADA}-later")
            gated.may_answer.set()
            await process.ended()
        assert (await it.get(later)).json()["status"] == "pending", "nothing new is begun"
    assert rows(place, ENDED) == [("completed", ADDRESS, "findymail", "verified")]
    assert rows(place, CALLS) == [("findymail", "hit", 1.0, 1)]
    assert rows(place, OWNERS) == [(None,)]
    ledger_is_exact(place)


async def test_the_vendor_after_it_is_asked_by_the_next_process(
    at: tuple[Place, str], vendor: ScriptedServer
) -> None:
    place, _ = at
    gated = Gated(MISSED)
    vendor.will(gated)
    both = "findymail,prospeo"
    async with running_service(place, jobs=False) as it:
        await it.accepted()
        with program(*at, vendor, sources=both) as process:
            await _until_called(gated)
            await process.stop()
            gated.may_answer.set()
            await process.ended()
        assert rows(place, CALLS) == [("findymail", "miss", 0.0, 1)]
        assert rows(place, OWNERS) == [(None,)]
        vendor.will(replies(400, {"error": True, "error_code": "NO_MATCH"}))
        with program(*at, vendor, sources=both):
            await until(lambda: len(rows(place, ENDED)) == 1)
    assert [call[:2] for call in rows(place, f"{CALLS} ORDER BY source")] == [
        ("findymail", "miss"),
        ("prospeo", "miss"),
    ]
    assert len(vendor.posts) == 2


async def test_a_vendor_that_takes_longer_is_not_waited_for_and_never_asked_again(
    at: tuple[Place, str], vendor: ScriptedServer
) -> None:
    place, _ = at
    gated = Gated()
    vendor.will(gated)
    clock = Clock()
    async with running_service(place, jobs=False, clock=clock) as it:
        request_id = await it.accepted()
        with program(*at, vendor, STOP_SECONDS=0.5) as process:
            await _until_called(gated)
            await process.stop()
            await process.ended()
        assert rows(place, OWNERS) == [(None,)]
        clock.now = time.time() + vendor_calls.ABANDONED_SECONDS
        next_one = scripted_vendor(HIT, name="findymail")
        again = replace(it, service=replace(it.service, sources=[next_one]))
        ended = await run_to_completion(again, request_id, clock)
    assert (ended.status, ended.reason) == ("failed", "answer-lost")
    assert (len(vendor.posts), next_one.asked) == (1, [])
    ledger_is_exact(place)


async def test_a_second_signal_ends_all_waits(
    at: tuple[Place, str], vendor: ScriptedServer
) -> None:
    place, _ = at
    gated = Gated()
    vendor.will(gated)
    async with running_service(place, jobs=False) as it:
        await it.accepted()
        with program(*at, vendor, STOP_SECONDS=60) as process:
            await _until_called(gated)
            await process.stop()
            assert process.process.poll() is None
            process.process.send_signal(signal.SIGTERM)
            await process.ended()
    assert rows(place, OWNERS) == [(None,)]
    assert rows(place, CALLS) == [("findymail", "requested", 0.0, 1)]
    assert len(vendor.posts) == 1


async def test_what_a_vendor_has_begun_is_fetched_by_the_next_process(
    at: tuple[Place, str], vendor: ScriptedServer
) -> None:
    place, _ = at
    gated = Gated(replies(201, enrichment("t-1", linkedin_url=ADA)))
    vendor.will(gated)
    async with running_service(place, jobs=False) as it:
        await it.accepted()
        with program(*at, vendor, sources="salesfinity") as process:
            await _until_called(gated)
            await process.stop()
            gated.may_answer.set()
            await process.ended()
        assert rows(place, "SELECT state, vendor_job_id FROM source_calls") == [("working", "t-1")]
        email = {"email": ADDRESS, "type": "work"}
        vendor.always(replies(200, enrichment("t-1", "completed", email=email)))
        with program(*at, vendor, sources="salesfinity"):
            await until(lambda: len(rows(place, ENDED)) == 1)
    assert rows(place, ENDED) == [("completed", ADDRESS, "salesfinity", "unverified")]
    assert len(vendor.posts) == 1
    ledger_is_exact(place)


async def _until_called(gated: Gated) -> None:
    with anyio.fail_after(HANG):
        await gated.asked.wait()
