"""The processes of a world: faces, at which people ask, and services. A dead one starts again."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.app.client import open_client
from mcp_enrichment.app.service import database, running_service
from mcp_enrichment.contract.errors import EnrichmentError, StorageFailed
from mcp_enrichment.service.http.app import create_app
from mcp_enrichment.service.http.rate_limit import RateLimit
from tests.simulation.asgi import CUT, REFUSED, call
from tests.simulation.assistant import assistant
from tests.simulation.network import TEAM_HOST
from tests.simulation.people import Asking, ListAsking, askings_of
from tests.simulation.plan import Asks, Kind
from tests.simulation.scripts import ScriptAsking

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.simulation.network import Answer, Message
    from tests.simulation.scheduler import Process
    from tests.simulation.world import World

RESTART_SECONDS = (0.0, 1.0, 40.0, 120.0)


class Role:
    """A program that runs in one process after the other."""

    kind = "process"

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.process: Process | None = None
        self._stop: anyio.Event | None = None

    @property
    def name(self) -> str:
        return f"{self.kind} {self.number}"

    def start(self) -> None:
        """Start a process, unless one runs."""
        if self.process:
            return
        self.world.trace(f"{self.name} starts")
        self.process = self.world.scheduler.process(self.name)
        process = self.process
        process.at_death.append(lambda: self._died(process))
        process.start(self._run()).add_done_callback(lambda _task: self._ended(process))

    async def _run(self) -> None:
        self._stop = anyio.Event()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.main)
                await self._stop.wait()
                tasks.cancel_scope.cancel()
        except* StorageFailed as failed:
            self.world.trace(f"{self.name} ends with an error", failed.exceptions[0])

    async def main(self) -> None:
        """The program, until it is cancelled."""
        raise NotImplementedError

    def kill(self) -> None:
        """Kill the process between two steps."""
        if self.process:
            self.process.kill()

    def _died(self, process: Process) -> None:
        if process is self.process:
            self.world.trace(f"{self.name} is dead")
            self.process = None
            self.restart_later()

    def stop(self) -> None:
        """Tell the process to end, as SIGTERM does. Once it has, another one starts."""
        if self.process and self._stop and not self._stop.is_set():
            self.world.trace(f"{self.name} is stopped")
            self._stop.set()

    def _ended(self, process: Process) -> None:
        if process is self.process:
            self.world.trace(f"{self.name} has ended")
            self.world.scheduler.later(0.0, process.kill)

    def slow_down(self) -> None:
        """Let the threads of the process take their time from now on."""
        if self.process:
            self.world.trace(f"the threads of {self.name} are slow")
            draw = self.world.scheduler.random.choice
            self.process.thread_delay = lambda: draw((0.0, 0.1, 3.0, 20.0))

    def restart_later(self) -> None:
        seconds = self.world.scheduler.random.choice(RESTART_SECONDS)
        self.world.scheduler.later(seconds, self.start)


class Face(Role):
    """A server at which people ask: each has the client of the product. Scripts ask beside it."""

    kind = "face"

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._askings: list[Asking | ListAsking] = []
        self._scripts: list[ScriptAsking] = []
        for question in world.plan.questions:
            if question.face == number and question.how is Asks.SCRIPT:
                self._scripts.append(ScriptAsking(world, question, question.people[0]))
            elif question.face == number:
                self._askings.append(askings_of(world, question))

    @property
    def is_tried(self) -> bool:
        """Whether each of its people has got some answer, or gone away."""
        everybody = (*self._askings, *self._scripts)
        return all(one.is_tried or one.is_satisfied for one in everybody)

    @property
    def is_satisfied(self) -> bool:
        return all(one.is_satisfied for one in (*self._askings, *self._scripts))

    def about(self, person: str) -> list[Asking]:
        """Those who ask about the person."""
        ones = [one for one in self._askings if isinstance(one, Asking)]
        return [one for one in (*ones, *self._scripts) if one.person == person]

    def start(self) -> None:
        super().start()
        for script in self._scripts:
            if not script.is_started:
                script.is_started = True
                at = self.world.scheduler.process(f"script of {script.name}")
                at.start(script.run())

    async def main(self) -> None:
        settings, era = self.world.settings(self.number), self.world.plan.era
        opening = assistant(self.world, settings, era) if era else open_client(settings)
        async with opening as client, anyio.create_task_group() as tasks:
            for asking in self._askings:
                tasks.start_soon(asking.run, client)
            if self.world.plan.kind is Kind.EMBEDDED:
                tasks.start_soon(self._call_at_the_end, client)
            await anyio.sleep_forever()

    async def _call_at_the_end(self, client: Any) -> None:
        """An embedded service goes on with the work of a dead one at its first call."""
        while not self.world.happenings.is_over:  # noqa: ASYNC110 (nothing tells when)
            await anyio.sleep(10.0)
        with suppress(EnrichmentError):
            await client.credits()


class Service(Role):
    """A process of the team's service, behind its host name."""

    kind = "service"

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._app: ASGIApp | None = None
        world.network.hosts.setdefault(TEAM_HOST, Balancer(world))

    async def main(self) -> None:
        settings = self.world.service_settings()
        async with (
            database(settings) as opened,
            running_service(settings, opened) as service,
        ):
            limit = RateLimit(quota=settings.rate_limit, clock=time.monotonic)
            self._app = create_app(service, rate_limit=limit)
            service.shutdown.on_begin(service.completion_waiter.release_waiters)
            try:
                await anyio.sleep_forever()
            finally:
                self._app = None
                service.shutdown.begin()

    @property
    def is_up(self) -> bool:
        return self.process is not None and self._app is not None

    def _died(self, process: Process) -> None:
        self._app = None
        super()._died(process)

    def receive(self, message: Message, reply: Callable[[Answer], None]) -> None:
        """Answer a request in this process; if it dies meanwhile, the connection is cut."""
        assert self.process
        assert self._app
        self.process.at_death.append(lambda: reply(CUT))
        self.process.start(call(self._app, message, reply))


class Balancer:
    """Hands a request to one of the services that are up."""

    def __init__(self, world: World) -> None:
        self._world = world

    def receive(self, message: Message, reply: Callable[[Answer], None]) -> None:
        up = [service for service in self._world.services if service.is_up]
        if up:
            self._world.scheduler.random.choice(up).receive(message, reply)
        else:
            reply(REFUSED)
