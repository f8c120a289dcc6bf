"""Runs worlds one after the other in one process: they share imports and compiled SQL."""

from __future__ import annotations

import gc
import logging
import os
import random
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.boundary import simulated
from tests.simulation.plan import CREDITS, plan
from tests.simulation.template import Template
from tests.simulation.vendors import HOSTS
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.simulation.boundary import Boundary

COLLECT_EVERY = 100
"""Worlds between two garbage collections."""


class Failed(AssertionError):
    """A world in which a promise was broken, with its token and its trace."""


class Simulation:
    """Runs worlds in one folder."""

    def __init__(self, boundary: Boundary, folder: Path, templates: Mapping[int, Template]) -> None:
        self._boundary, self._folder, self._templates = boundary, folder, templates
        self._runs = 0

    def run(self, token: str) -> World:
        """Run the world of this token. Raises `Failed`."""
        world_plan = plan(token)
        template, folder = self._templates[world_plan.credits], self._folder / "world"
        template.copy_to(folder, is_known=world_plan.is_known)
        world = World(world_plan, folder, template)
        self._boundary.world = world
        random.seed(world_plan.order)  # for the jitter of the product's backoff
        try:
            world.run(self._boundary.read)
        except Exception as error:
            trace = "\n".join(world.trace_lines)
            raise Failed(f"{trace}\n\n{type(error).__name__}: {error}\ntoken: {token}") from error
        finally:
            logging.disable()  # coroutines of dead processes log while they are closed
            world.close()
            logging.disable(logging.NOTSET)
            self._boundary.world = None
            self._collect()
        return world

    def _collect(self) -> None:
        self._runs += 1
        if self._runs == 1:
            gc.collect()
            gc.freeze()
        elif self._runs % COLLECT_EVERY == 0:
            gc.collect()


class Defect(AssertionError):
    """The product has logged an exception that it did not expect."""


class _Log(logging.Handler):
    """Adds the product's log records to the trace. One about an unexpected exception fails the
    world."""

    def __init__(self, boundary: Boundary) -> None:
        super().__init__(logging.WARNING)
        self._boundary = boundary

    def emit(self, record: logging.LogRecord) -> None:
        world, text = self._boundary.world, record.getMessage()
        if world and world.scheduler.current:  # else a dead process is being removed
            world.trace(f"{world.who} logs", text)
            if " raised " in text:
                world.scheduler.raised.append(Defect(text))


@contextmanager
def _product_log(boundary: Boundary) -> Iterator[None]:
    logger, handler = logging.getLogger("mcp_enrichment"), _Log(boundary)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    # SQLAlchemy reports each connection of a dead process that the garbage collector closes.
    pools = logging.getLogger("sqlalchemy.pool")
    pools.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        pools.setLevel(logging.NOTSET)
        logger.removeHandler(handler)
        logger.propagate = propagates


@contextmanager
def simulation() -> Iterator[Simulation]:
    """A simulation in a temporary folder, which is in memory if the machine has `/dev/shm`."""
    memory = Path("/dev/shm")  # noqa: S108
    keys = {f"ENRICHMENT_{name.upper()}_API_KEY": "k-vendor" for name in HOSTS}
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=memory if memory.is_dir() else None))
    before = dict(os.environ)
    os.environ.update(keys)
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        templates = {amount: Template(folder, amount) for amount in CREDITS}
        with simulated() as boundary, _product_log(boundary):
            yield Simulation(boundary, folder, templates)
    finally:
        gc.unfreeze()
        if is_collecting:
            gc.enable()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)
