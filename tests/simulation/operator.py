"""The operator of a world: each action is a process of its own, as a command is."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from mcp_enrichment.app.service import open_database
from mcp_enrichment.contract.errors import StorageFailed, StorageFault
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.accounts import api_keys, teams
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.privacy import subject_requests
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from mcp_enrichment.service.sources.exports.records import Contact
from tests.simulation.plan import PEOPLE, PROFILE, Asks, Event
from tests.simulation.template import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from mcp_enrichment.service.db.database import Database
    from tests.simulation.world import World

GRANTED = 3
"""Credits of a grant."""
UNDER_WAY = 130.0
"""Seconds for which a call to a vendor, begun before an erasure, may still be under way."""
AGAIN_SECONDS = 20.0
"""Seconds until an action is done again."""


class Operator:
    """Does the actions of the plan. One that fails, or whose process dies, is done again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: set[int] = set()
        self._numbers = 0

    @property
    def is_done(self) -> bool:
        return not self._open

    def act(self, event: Event, draw: float) -> None:
        """Begin an action."""
        self._numbers += 1
        self._open.add(self._numbers)
        self._begin(self._numbers, event, draw)

    def _begin(self, number: int, event: Event, draw: float) -> None:
        world = self._world
        process = world.scheduler.process(f"operator {number}")
        task = process.start(self._run(number, event, draw))

        def died() -> None:
            if number in self._open:  # it is done again
                world.scheduler.later(AGAIN_SECONDS, lambda: self._begin(number, event, draw))

        process.at_death.append(died)
        task.add_done_callback(lambda _task: world.scheduler.later(0.0, process.kill))

    async def _run(self, number: int, event: Event, draw: float) -> None:
        do = {
            Event.GRANT: self._grant,
            Event.SUPPRESS: self._suppress,
            Event.ERASE: self._erase,
            Event.IMPORT: self._import,
            Event.REVOKE: self._revoke,
            Event.ROTATE: self._rotate,
        }[event]
        asked = [q.people[0] for q in self._world.plan.questions if q.how is not Asks.LIST]
        person = asked[int(draw * 1000) % len(asked)] if asked else PEOPLE[0]
        if event is Event.ERASE:
            while not self._world.let_go(person):  # noqa: ASYNC110 (nothing tells when)
                await anyio.sleep(1.0)
        while number in self._open:
            self._world.trace(f"operator begins: {event}")
            try:
                await anyio.to_thread.run_sync(partial(self._with_database, do, draw, person))
            except StorageFailed as failure:
                self._world.trace("operator gets an error", failure.fault)
                await anyio.sleep(AGAIN_SECONDS)
            else:
                self._open.discard(number)

    def _with_database(
        self, do: Callable[[Database, float, str], None], draw: float, person: str
    ) -> None:
        database = open_database(self._world.service_settings())
        try:
            do(database, draw, person)
        finally:
            database.close()

    def _grant(self, database: Database, draw: float, _person: str) -> None:
        team = self._world.teams[int(draw * 100) % len(self._world.teams)]
        truth = self._world.truth
        truth.perhaps_granted[team] += GRANTED
        database.write_now(lambda c: ledger.grant(c, team, GRANTED, at=time.time()))
        truth.perhaps_granted[team] -= GRANTED
        truth.granted[team] += GRANTED

    def _rotate(self, database: Database, draw: float, _person: str) -> None:
        team = self._world.teams[int(draw * 100) % len(self._world.teams)]
        database.write_now(lambda c: teams.rotate_secret(c, team, at=time.time()))

    def _revoke(self, database: Database, draw: float, _person: str) -> None:
        number = int(draw * 100) % len(NAMES)
        keys = self._world.script_keys
        old = keys[number]

        def replace(connection: Connection) -> str:
            api_keys.revoke(connection, api_keys.key_id_of(old), at=time.time())
            return api_keys.create(connection, NAMES[number], at=time.time()).key

        keys[number] = database.write_now(replace)
        self._world.truth.revoked.add(old)

    def _suppress(self, database: Database, _draw: float, person: str) -> None:
        at = time.time()
        subject_requests.suppress(database, NamedSubject(profile=PROFILE + person), at=at)
        self._world.truth.suppress(PROFILE + person)

    def _erase(self, database: Database, draw: float, person: str) -> None:
        at, subject = time.time(), NamedSubject(profile=PROFILE + person)
        suppressing = int(draw * 100) % 2 == 0
        subject_requests.erase(database, subject, suppressing=suppressing, at=at)
        self._world.truth.erased.setdefault(person, self._world.scheduler.now)
        if suppressing:
            # The request that was erased cannot show any more that a call was begun before.
            self._world.truth.suppress(PROFILE + person, after=UNDER_WAY)
        if not database.scrub_now():
            raise StorageFailed(StorageFault.BUSY)  # it is done again

    def _import(self, database: Database, draw: float, person: str) -> None:
        kind = EmailType.WORK if int(draw * 100) % 2 else EmailType.PERSONAL
        if person in self._world.gone:
            return
        contact = Contact(
            profile=PROFILE + person,
            email=f"{person}.{kind}@contacts.example",
            email_type=kind,
            first_name="A",
            last_name="Person",
            company="",
            position="",
            connected_on=None,
        )
        import_contacts(database, [contact], source="an export")
