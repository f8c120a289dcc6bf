"""What happens in a world at the points of its trace, and the checks after each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.plan import Event

if TYPE_CHECKING:
    from tests.simulation.plan import Happening
    from tests.simulation.roles import Role
    from tests.simulation.world import World

JUMPS = (-7200.0, -60.0, -1.0, 1.0, 60.0, 7200.0)
"""Seconds by which a clock jumps."""
LASTS = (1.0, 20.0, 120.0)
"""Seconds that a partition, a slow or a full disk lasts."""


class Events:
    """The happenings that are still to come."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._coming = sorted(world.plan.happenings, key=lambda one: one.point, reverse=True)
        self._due: list[Happening] = []
        self._is_healed = False

    def reach(self, point: int) -> None:
        """The trace has so many events."""
        while self._coming and self._coming[-1].point <= point:
            self._due.append(self._coming.pop())

    def after_step(self) -> None:
        """Let happen what is due."""
        while self._due:
            self._do(self._due.pop())

    def heal(self) -> None:
        """No fault happens from now on, and everybody is up again."""
        world = self._world
        self._coming.clear()
        self._due.clear()
        world.network.faults.clear()
        world.network.cut_off.clear()
        world.disk.full_until, world.disk.errors = 0.0, 0
        world.callbacks.stop_faults()
        for vendor in world.vendors.values():
            vendor.troubles.clear()
        for process in world.scheduler.processes:
            process.thread_delay = _at_once
        for role in self._roles():
            role.start()

    def _roles(self) -> list[Role]:
        return [*self._world.services, *self._world.faces]

    def _do(self, happening: Happening) -> None:
        world, draw = self._world, happening.draw
        roles = self._roles()
        role = roles[int(draw * len(roles))]
        lasts = LASTS[int(draw * 1000) % len(LASTS)]
        match happening.event:
            case Event.KILL:
                role.kill()
            case Event.STOP:
                role.stop()
            case Event.CLOCK:
                self._jump(draw)
            case Event.PARTITION:
                hosts = list(world.network.hosts)
                world.network.cut_off_for(lasts, hosts[int(draw * len(hosts))])
            case Event.SLOW_DISK:
                role.slow_down()
            case Event.DISK_FULL:
                world.disk.fill_for(lasts)
            case Event.DISK_ERROR:
                world.disk.errors += 1
            case _:
                self._operate(happening)

    def _jump(self, draw: float) -> None:
        world = self._world
        machine = "service" if world.services and int(draw * 100) % 2 else "home"
        jump = JUMPS[int(draw * len(JUMPS))]
        world.clocks[machine] = world.clocks.get(machine, 0.0) + jump
        world.trace(f"the clock of {machine} jumps", jump)

    def _operate(self, happening: Happening) -> None:
        """What an operator does."""


def _at_once() -> float:
    return 0.0
