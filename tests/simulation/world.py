"""One world: its machines, processes, vendors and receivers, from a plan to its end."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from mcp_enrichment.settings import Settings
from tests.simulation.events import Events
from tests.simulation.files import Files
from tests.simulation.network import TEAM_HOST, Network
from tests.simulation.operator import Operator
from tests.simulation.plan import EPOCH, Kind
from tests.simulation.receivers import CallbackReceiver
from tests.simulation.roles import Face, Service
from tests.simulation.scheduler import Scheduler
from tests.simulation.template import TEAM_IDS
from tests.simulation.truth import Truth, addresses
from tests.simulation.vendors import HOSTS, Vendor

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from tests.simulation.plan import Plan
    from tests.simulation.roles import Role
    from tests.simulation.scheduler import Process
    from tests.simulation.template import Template

CALLBACK_HOST = "hooks.example"
LONGEST = 4 * 3600.0
"""Seconds of virtual time within which everything ends once faults have stopped."""


class World:
    """One simulated run of the product with everything around it."""

    def __init__(self, plan: Plan, folder: Path, template: Template) -> None:
        self.plan, self.folder, self.template = plan, folder, template
        order = Random(plan.order)  # noqa: S311
        self.product_random = Random(order.getrandbits(32))  # noqa: S311
        self.scheduler = Scheduler(order)
        self.trace_lines: list[str] = []
        self.wrote = False
        """Whether a process has committed a transaction in this step."""
        self.gone: set[str] = set()
        """People whom the operator erases or is about to erase: nobody asks about them any more."""
        self.script_keys = list(template.script_keys)
        self.clocks: dict[str, float] = {}
        """Seconds by which the clock of each machine is off, by its name: `home` or `service`."""
        self._seen_end = -1
        self.truth, self.addresses = Truth(self), addresses(plan)
        self.files, self.network = Files(self, plan.order), Network(self)
        self.vendors: dict[str, Vendor] = {}
        for name in plan.vendors:
            vendor = Vendor(self, name, list(plan.troubles[name]))
            self.vendors[HOSTS[name]] = self.network.hosts[HOSTS[name]] = vendor
        self.callbacks = CallbackReceiver(self, list(plan.callback_answers))
        self.network.hosts[CALLBACK_HOST] = self.callbacks
        self.network.addresses[CALLBACK_HOST] = "10.1.2.3"
        self.network.faults = dict(plan.exchanges)
        self.network.posts = list(reversed(plan.posts))
        self.events, self.operator = Events(self), Operator(self)
        self.services = [Service(self, n) for n in range(plan.services)]
        self.faces = [Face(self, n) for n in range(len(plan.faces))]

    @property
    def who(self) -> str:
        """The name of the process whose code runs."""
        return self.scheduler.current.name if self.scheduler.current else "the world"

    @property
    def roles(self) -> list[Role]:
        return [*self.services, *self.faces]

    @property
    def teams(self) -> list[int]:
        """The ids of the teams."""
        return list(TEAM_IDS)

    def team_of(self, face: int) -> int:
        return TEAM_IDS[self.plan.faces[face]]

    def script_key(self, face: int) -> str:
        """The valid key of the scripts beside a face."""
        return self.script_keys[self.plan.faces[face]]

    @property
    def database(self) -> Path:
        return self.folder / "data" / "enrichment.db"

    def wall_time(self) -> float:
        """Seconds since the epoch, by the clock of the machine that has the service."""
        machine = "service" if self.services else "home"
        return EPOCH + self.scheduler.now + self.clocks.get(machine, 0.0)

    def clock_of(self, process: Process) -> float:
        """Seconds by which the clock of the process's machine is off."""
        is_at_home = process.name.startswith("face") or not self.services
        return self.clocks.get("home" if is_at_home else "service", 0.0)

    def trace(self, what: str, detail: object = "") -> None:
        """Add a line to the trace. The events that the plan has for this line happen after the
        step."""
        at = f"{self.scheduler.now:10.3f}  {what}"
        self.trace_lines.append(f"{at}: {detail}" if str(detail) else at)
        self.events.reach(len(self.trace_lines))

    def run(self, connect: Callable[[Path], sqlite3.Connection]) -> None:
        """Run the plan, then stop all faults and run on until everything has ended.

        Raises `Violated` if a promise is broken, and `Stuck` if something does not end.
        """
        self.truth.open(connect)
        self.scheduler.after_step = self._after_step
        for role in self.roles:
            role.start()
        self.scheduler.run(self._is_tried, seconds=LONGEST)
        self.events.heal()
        self.scheduler.run(self._has_ended, seconds=LONGEST)
        self.truth.at_the_end()

    def _after_step(self) -> None:
        if self.wrote:
            self.wrote = False
            self.truth.after_write()
        self.events.after_step()

    def close(self) -> None:
        self.scheduler.close()
        self.truth.close()
        self.files.close()

    def let_go(self, person: str) -> bool:
        """Let nobody ask about the person any more. False, and no change, while a POST about the
        person may still be sent."""
        if any(one.may_post for face in self.faces for one in face.about(person)):
            return False
        self.gone.add(person)
        return True

    def _is_tried(self) -> bool:
        return all(face.is_tried for face in self.faces)

    def _has_ended(self) -> bool:
        if not all(face.is_satisfied for face in self.faces) or not self.operator.is_done:
            return False
        if self._seen_end == len(self.trace_lines):
            return False
        self._seen_end = len(self.trace_lines)
        return not self.truth.is_open()

    def settings(self, face: int) -> Settings:
        """The settings of a face. The faces of one team belong to one user: they share a state
        file."""
        plan, team = self.plan, self.plan.faces[face]
        limits: dict[str, Any] = {"daily_budget": plan.daily_budget, "reserve": plan.reserve}
        if plan.kind is Kind.TEAM:
            limits |= {"api_url": f"https://{TEAM_HOST}", "api_key": self.template.keys[team]}
        return _settings(self.folder, plan.vendors, team, **limits)

    def service_settings(self) -> Settings:
        """The settings of the service, and of the operator's commands."""
        return _settings(self.folder, self.plan.vendors, 0)


@cache
def _settings(folder: Path, vendors: tuple[str, ...], team: int, **more: Any) -> Settings:
    return Settings(
        data_dir=folder / "data",
        state_dir=folder / f"state-{team}",
        sources=("contacts", *vendors),
        callback_networks=["10.0.0.0/8"],
        **more,
    )
