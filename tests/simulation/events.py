"""Fault injection: kills, power cuts and other events, each at its planned line of the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.plan import BY_OPERATOR, Event

if TYPE_CHECKING:
    from tests.simulation.disk import Call
    from tests.simulation.plan import Happening
    from tests.simulation.roles import Role
    from tests.simulation.scheduler import Process
    from tests.simulation.world import World

JUMPS = (-7200.0, -60.0, -1.0, 1.0, 60.0, 7200.0)
"""Seconds by which a clock jumps."""
WRITES = 40
"""Calls of the disk within which an I/O error, or a kill before a write, is injected."""
CALLS: tuple[Call, ...] = ("write", "sync", "delete", "truncate", "read")
LASTS = (1.0, 20.0, 120.0)
"""Seconds that a partition or a full disk lasts."""


class Events:
    """Injects the events of the plan, and stops all faults in the end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._coming = sorted(world.plan.happenings, key=lambda one: one.point, reverse=True)
        self._due: list[Happening] = []
        self._dying: list[Process] = []
        self.is_over = False
        """Whether faults have stopped."""

    def reach(self, point: int) -> None:
        """Note that the trace has this many lines: the events up to this point are due."""
        while self._coming and self._coming[-1].point <= point:
            self._due.append(self._coming.pop())

    def after_step(self) -> None:
        """Inject the events that are due."""
        while self._dying:
            self._dying.pop().kill()
        while self._due:
            self._do(self._due.pop())

    def heal(self) -> None:
        """Stop all faults, start all programs that are down, and let the operator do what is
        left."""
        world = self._world
        world.trace("faults stop")
        self.is_over = True
        left = [one for one in (*self._due, *self._coming) if one.event in BY_OPERATOR]
        self._coming.clear()
        self._due = left
        world.network.faults.clear()
        world.network.posts.clear()
        world.network.cut_off.clear()
        world.files.free()
        for vendor in world.vendors.values():
            vendor.troubles.clear()
        for process in world.scheduler.processes:
            process.thread_delay = _at_once
        for role in world.roles:
            role.start()

    def _do(self, happening: Happening) -> None:
        world, draw = self._world, happening.draw
        role = world.roles[int(draw * len(world.roles))]
        fault = {
            Event.KILL: lambda: self._kill(role),
            Event.KILL_AT_WRITE: lambda: self._kill_at_write(role, int(draw * 1000) % WRITES),
            Event.POWER_CUT: self._cut_power,
            Event.STOP: lambda: self._stop(role),
            Event.CLOCK: lambda: self._jump(draw),
            Event.PARTITION: lambda: self._cut_off(draw),
            Event.SLOW_THREADS: lambda: self._slow_down(role),
            Event.DISK_FULL: lambda: self._fill_disk(draw),
            Event.DISK_ERROR: lambda: self._fail(role, draw),
        }.get(happening.event)
        if fault:
            world.truth.is_calm &= happening.event is Event.PARTITION
            fault()
        else:
            world.operator.act(happening.event, draw)

    def _kill(self, role: Role) -> None:
        self._world.truth.may_have_lost_a_post = True
        role.kill()

    def kill_all(self) -> None:
        """Kill each process, while faults may happen."""
        if not self.is_over:
            self._world.truth.is_calm = False
            for role in self._world.roles:
                self._kill(role)

    def _stop(self, role: Role) -> None:
        self._world.truth.may_have_lost_a_post = True
        role.stop()

    def _slow_down(self, role: Role) -> None:
        self._world.truth.may_have_lost_a_post = True
        role.slow_down()

    def _cut_off(self, draw: float) -> None:
        hosts = list(self._world.network.hosts)
        self._world.network.cut_off_for(_lasts(draw), hosts[int(draw * len(hosts))])

    def _kill_at_write(self, role: Role, writes: int) -> None:
        world = self._world
        if role.process:
            world.truth.may_have_lost_a_post = True
            world.trace(f"{role.name} will die in {writes} writes")
            of_disk = world.files.of(role.process)
            process = role.process
            # SQLite runs a call at this moment, so the process is closed after the step.
            of_disk.died = lambda: self._dying.append(process)
            of_disk.kill_after(writes)

    def _cut_power(self) -> None:
        world = self._world
        world.trace("the power fails")
        world.truth.may_have_lost_a_post = True
        for process in list(world.scheduler.processes):
            if not process.name.startswith("script"):
                process.kill()
        world.files.power_cut()
        world.truth.close()  # before the cut it would write the log into the database, and sync it
        world.truth.reopen()

    def _fill_disk(self, draw: float) -> None:
        world, seconds = self._world, _lasts(draw)
        world.truth.may_have_lost_a_post = True
        world.trace("the disk is full", seconds)
        world.files.fill(all_writes=int(draw * 100) % 2 == 0)
        world.scheduler.later(seconds, world.files.free)

    def _fail(self, role: Role, draw: float) -> None:
        world = self._world
        if role.process:
            call: Call = CALLS[int(draw * 100) % len(CALLS)]
            world.truth.may_have_lost_a_post = True
            world.trace(f"the disk will fail {role.name}", call)
            of_disk = world.files.of(role.process)
            world.files.fail(call, process=of_disk, after=int(draw * 1000) % WRITES)

    def _jump(self, draw: float) -> None:
        world = self._world
        machine = "service" if world.services and int(draw * 100) % 2 else "home"
        jump = JUMPS[int(draw * len(JUMPS))]
        world.clocks[machine] = world.clocks.get(machine, 0.0) + jump
        world.trace(f"the clock of {machine} jumps", jump)


def _lasts(draw: float) -> float:
    return LASTS[int(draw * 1000) % len(LASTS)]


def _at_once() -> float:
    return 0.0
