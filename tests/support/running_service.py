"""A whole service over a real database, called over HTTP in this process."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.http import CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import Verification
from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.callbacks.callback_sender import CallbackSender
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy
from mcp_enrichment.service.context import ServiceContext
from mcp_enrichment.service.http.app import create_app
from mcp_enrichment.service.queue.procrastinate_worker import ProcrastinateWorkers
from mcp_enrichment.service.queue.sqlite_worker import LEASE, SQLiteWorker
from mcp_enrichment.service.requests.completion_waiter import CompletionWaiter
from mcp_enrichment.service.sources.base import Hit, Miss
from tests.support.databases import open_place, rows
from tests.support.invariants import check, credits_are_conserved
from tests.support.invariants.evidence import Evidence
from tests.support.openapi import holds_to_contract
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from sqlalchemy import Connection

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.queue.handlers import Engine
    from mcp_enrichment.service.sources.base import Outcome, Source
    from tests.support.databases import Place

ADA = "https://www.linkedin.com/in/ada-okafor-example"
ADAS = "ada@example.com"
HIT = Hit(email=ADAS, verification=Verification.VERIFIED)
MISS = Miss()
LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
ANY_LOOPBACK = CallbackURLPolicy(networks=LOOPBACK, ports=range(1, 65_536))


class FixedSource:
    """A source with these outcomes, in this order; the last is repeated, an exception is raised."""

    def __init__(self, *outcomes: Outcome | Exception, name: str = "scripted") -> None:
        self.name = name
        self.asked: list[str] = []
        self._outcomes = deque(outcomes)

    async def find(self, profile: str, _email_type: EmailType) -> Outcome:
        self.asked.append(profile)
        outcome = self._outcomes.popleft() if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class SlowSource:
    """A source that sets `asked` when it is called, and answers once `may_answer` is set."""

    def __init__(self, outcome: Outcome = MISS, name: str = "slow") -> None:
        self.name = name
        self.asked, self.may_answer = anyio.Event(), anyio.Event()
        self._outcome = outcome

    async def find(self, _profile: str, _email_type: EmailType) -> Outcome:
        self.asked.set()
        await self.may_answer.wait()
        return self._outcome


@dataclass
class Clock:
    """A clock that the test advances."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service, and the calls that tests make."""

    service: ServiceContext
    engine: Engine
    team_id: int
    key: str
    """The API key of the team, which `http` sends."""
    http: httpx.AsyncClient
    place: Place

    async def post(
        self, *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        """POST a request: for Ada's work email, unless `body` says otherwise."""
        asked = {"linkedin_url": ADA, "type": "work"} | body
        return await self.http.post(ENRICHMENTS, json=asked, headers=headers)

    async def accepted(self, **body: Any) -> str:
        """POST a request that must be accepted; return its id."""
        response = await self.post(**body)
        assert response.status_code == 201, response.text
        return str(response.json()["_id"])

    async def get(self, request_id: str, *, prefer: str | None = None) -> httpx.Response:
        headers = {"prefer": prefer} if prefer else None
        return await self.http.get(f"{ENRICHMENTS}/{request_id}", headers=headers)

    async def final(self, request_id: str) -> dict[str, Any]:
        """The body of the request once it is final."""
        with anyio.fail_after(HANG):
            while (body := await self._held(request_id))["status"] in ("pending", "processing"):
                pass
        return body

    async def _held(self, request_id: str) -> dict[str, Any]:
        return dict((await self.get(request_id, prefer="wait=60")).json())

    async def balance(self) -> int:
        return int((await self.http.get(CREDITS)).json()["balance"])

    def is_idle(self) -> bool:
        """Whether the worker sleeps until it is woken, or until a job is due."""
        return self.engine._wake.statistics().tasks_waiting > 0

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return rows(self.place, query, *values)


@asynccontextmanager
async def running_service(
    place: Place,
    *sources: Source,
    credits: int = 10,  # noqa: A002
    jobs: bool = True,
    allow_private: bool = False,
    policy: CallbackURLPolicy | None = None,
    lease: float = LEASE,
    concurrency: int = 16,
    **changes: Any,
) -> AsyncIterator[RunningService]:
    """A service over the database; without `jobs` no worker runs."""
    database = await anyio.to_thread.run_sync(open_place, place)
    policy = policy or (ANY_LOOPBACK if allow_private else CallbackURLPolicy())
    engine = engine_of(place, lease=lease, concurrency=concurrency)
    service = ServiceContext(
        database=database,
        sources=sources,
        sender=CallbackSender(policy),
        callback_policy=policy,
        completion_waiter=CompletionWaiter(database),
        wake=engine.wake,
        lease_lookup=engine.lease_lookup,
    )
    service = replace(service, **changes)
    team_id = await database.write(lambda c: team_with(c, credits, at=service.clock()))
    key = await database.write(lambda c: api_keys.create(c, DEFAULT_TEAM, at=service.clock()).key)
    app = create_app(service)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    hooks = {"response": [holds_to_contract]}
    try:
        async with (
            httpx.AsyncClient(
                transport=transport,
                base_url="http://it",
                event_hooks=hooks,
                headers={"x-api-key": key},
            ) as http,
            anyio.create_task_group() as tasks,
        ):
            if jobs:
                tasks.start_soon(engine.run, service)
                tasks.start_soon(service.completion_waiter.watch)
            yield RunningService(
                service=service, engine=engine, team_id=team_id, key=key, http=http, place=place
            )
            tasks.cancel_scope.cancel()
    finally:
        database.close()


def engine_of(place: Place, *, lease: float = LEASE, concurrency: int = 16) -> Engine:
    """The job engine for that database."""
    if isinstance(place, Path):
        return SQLiteWorker(lease=lease, concurrency=concurrency)
    return ProcrastinateWorkers(place, concurrency=concurrency)


def team_with(connection: Connection, amount: int, *, at: float, name: str = DEFAULT_TEAM) -> int:
    """The team of this name; a new team is granted the amount."""
    found = teams.id_of(connection, name)
    if found is not None:
        return found
    team_id = teams.add(connection, name, 0, at=at)
    if amount:
        ledger.grant(connection, team_id, amount, at=at)
    return team_id


async def until(holds: Callable[[], bool], *, seconds: float = HANG) -> None:
    """Wait for something that has no event, as only the database or a log shows it."""
    with anyio.fail_after(seconds):
        while not holds():  # noqa: ASYNC110
            await anyio.sleep(0.005)


def ledger_is_exact(place: Place) -> None:
    """Check that each team's figures are the sums of its entries, and that each request has one
    hold, which is closed once exactly if the request is final."""
    check(Evidence(rows=partial(rows, place)), [credits_are_conserved])
