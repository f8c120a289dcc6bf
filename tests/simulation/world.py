"""One world: its machines, processes, vendors and receivers, from a plan to its end."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any

from mcp_enrichment.settings import Settings
from tests.simulation.checks import Checks
from tests.simulation.events import Events
from tests.simulation.files import Disk
from tests.simulation.network import Network
from tests.simulation.plan import Kind
from tests.simulation.receivers import CallbackReceiver
from tests.simulation.roles import Face, Service
from tests.simulation.scheduler import Scheduler
from tests.simulation.vendors import HOSTS, Vendor

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from tests.simulation.plan import Plan
    from tests.simulation.scheduler import Process
    from tests.simulation.template import Template

CALLBACK_HOST = "hooks.example"
TEAM_HOST = "team.example"
LONGEST = 4 * 3600.0
"""Seconds of virtual time within which everything ends once faults have stopped."""


class World:
    """What exists and happens. `run` returns once all has ended."""

    def __init__(self, plan: Plan, folder: Path, template: Template) -> None:
        self.plan, self.folder, self.template = plan, folder, template
        order = Random(plan.order)  # noqa: S311
        self.product_random = Random(order.getrandbits(32))  # noqa: S311
        self.scheduler = Scheduler(order)
        self.events: list[str] = []
        self.erasures = 0
        self.imported: set[str] = set()
        """The addresses that were imported."""
        self.wrote = False
        self._seen_end = -1
        self.network, self.disk = Network(self), Disk(self)
        self.vendors: dict[str, Vendor] = {}
        for name in plan.vendors:
            ends = {(p, t): end for (v, p, t), end in plan.ends.items() if v == name}
            vendor = Vendor(self, name, ends, list(plan.troubles[name]))
            self.vendors[HOSTS[name]] = self.network.hosts[HOSTS[name]] = vendor
        self.callbacks = CallbackReceiver(self, list(plan.callback_answers))
        self.network.hosts[CALLBACK_HOST] = self.callbacks
        self.network.addresses[CALLBACK_HOST] = "10.1.2.3"
        self.network.faults = dict(plan.exchanges)
        self.clocks: dict[str, float] = {}
        """How far the clock of a machine is off, by its name."""
        self.happenings = Events(self)
        self.services = [Service(self, n) for n in range(plan.services)]
        self.faces = [Face(self, n) for n in range(plan.faces)]

    @property
    def who(self) -> str:
        """The process whose code runs."""
        return self.scheduler.current.name if self.scheduler.current else "the world"

    @property
    def database(self) -> Path:
        return self.folder / "data" / "enrichment.db"

    def scheduler_time(self) -> float:
        return self.scheduler.now

    def clock_of(self, process: Process) -> float:
        return self.clocks.get(self.machine_of(process), 0.0)

    def machine_of(self, process: Process) -> str:
        return "service" if process.name.startswith("service") else "home"

    def trace(self, what: str, detail: object = "") -> None:
        """Note an event. What the plan has for this point happens after the step."""
        at = f"{self.scheduler.now:10.3f}  {what}"
        self.events.append(f"{at}: {detail}" if str(detail) else at)
        self.happenings.reach(len(self.events))

    def run(self, connect: Callable[[Path], sqlite3.Connection]) -> None:
        """Run the plan, then stop all faults and wait until everything has ended."""
        self.template.copy_to(self.folder)
        self.checks = Checks(self, connect(self.database))
        self.scheduler.after_step = self._after_step
        for role in (*self.services, *self.faces):
            role.start()
        self.scheduler.run(self._is_tried, seconds=LONGEST)
        self.trace("faults stop")
        self.happenings.heal()
        self.scheduler.run(self._has_ended, seconds=LONGEST)
        self.checks.at_the_end()

    def _after_step(self) -> None:
        if self.wrote:
            self.wrote = False
            self.checks.after_write()
        self.happenings.after_step()

    def close(self) -> None:
        self.scheduler.close()

    def _is_tried(self) -> bool:
        return all(face.is_tried for face in self.faces)

    def _has_ended(self) -> bool:
        if not all(face.is_satisfied for face in self.faces):
            return False
        if self._seen_end == len(self.events):
            return False
        self._seen_end = len(self.events)
        return not self.checks.open_work()

    def vendors_for(self, kind: str) -> list[Vendor]:
        """Those that have addresses of this type."""
        return [v for v in self.vendors.values() if kind == "work" or v.name == "leadmagic"]

    def settings(self) -> Settings:
        """The settings of the faces."""
        return _settings(
            self.folder,
            self.plan.kind,
            self.plan.vendors,
            self.plan.daily_budget,
            self.template.key,
        )

    def service_settings(self) -> Settings:
        return _settings(self.folder, Kind.EMBEDDED, self.plan.vendors, None, "")


@lru_cache
def _settings(
    folder: Path, kind: Kind, vendors: tuple[str, ...], daily_budget: int | None, key: str
) -> Settings:
    options: dict[str, Any] = {}
    if kind is Kind.TEAM:
        options = {"api_url": f"https://{TEAM_HOST}", "api_key": key}
    return Settings(
        data_dir=folder / "data",
        state_dir=folder / "state",
        sources=("contacts", *vendors),
        callback_networks=["10.0.0.0/8"],
        daily_budget=daily_budget,
        **options,
    )
