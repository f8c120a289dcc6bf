"""People who call the team's service over HTTP with a key, without our client.

They spell the profile in their own way, and repeat a POST with its key until it is answered.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from mcp_enrichment.contract.http import ENRICHMENTS
from mcp_enrichment.contract.models import Status
from tests.simulation.network import TEAM_HOST
from tests.simulation.people import Asking
from tests.support.invariants.evidence import Told

if TYPE_CHECKING:
    from tests.simulation.plan import Question
    from tests.simulation.world import World

CALL_SECONDS = 30.0
FINAL = ("completed", "not-found", "failed")
REFUSED_FOR_GOOD = (402, 409)


class ScriptAsking(Asking):
    """A question of one script, under one idempotency key."""

    def __init__(self, world: World, question: Question, person: str) -> None:
        super().__init__(world, question, person)
        self._id: str | None = None
        self._has_pried = False
        self.is_started = False

    async def run(self, _client: Any = None) -> None:
        """Post until it is accepted, then read until it is final."""
        await anyio.sleep(self.question.at)
        transport = self.world.network.transport()
        async with httpx.AsyncClient(base_url=f"https://{TEAM_HOST}", transport=transport) as http:
            http.headers["x-api-key"] = self.world.script_key(self.question.face)
            self.is_begun = True
            while not self.is_satisfied:
                if self.person in self.world.gone:
                    self.is_tried = self.is_satisfied = True
                    return
                self.is_asking = self._id is None
                try:
                    with anyio.fail_after(CALL_SECONDS):
                        await self._call(http)
                except (httpx.TransportError, TimeoutError):
                    self.world.trace(f"{self.name} hears nothing")
                self.is_tried, self.is_asking = True, False
                if not self.is_satisfied:
                    await anyio.sleep(10.0)

    async def _pry(self, http: httpx.AsyncClient) -> None:
        """Try once to read a request of the other team."""
        mine = self.asked.team_id
        theirs = {t.request_id for t in self.world.truth.told if t.question.team_id != mine}
        for known in sorted(filter(None, theirs))[: not self._has_pried]:
            self._has_pried = True
            answer = await http.get(f"{ENRICHMENTS}/{known}")
            if answer.is_success:
                told = Told(
                    caller=f"{self.name}, who pries,", question=self.asked, request_id=known
                )
                self.world.truth.told.append(told)

    async def _call(self, http: httpx.AsyncClient) -> None:
        await self._pry(http)
        began, key = self.world.wall_time(), http.headers["x-api-key"]
        is_revoked = key in self.world.truth.revoked
        if self._id:
            answer = await http.get(f"{ENRICHMENTS}/{self._id}")
        else:
            answer = await http.post(
                ENRICHMENTS, json=self._body(), headers={"idempotency-key": self.reference}
            )
        if not answer.is_success:
            self.world.trace(f"{self.name} is refused", answer.status_code)
            self.is_satisfied = answer.status_code in REFUSED_FOR_GOOD
            http.headers["x-api-key"] = self.world.script_key(self.question.face)
            return
        assert not is_revoked, "a revoked key is accepted"
        body = answer.json()
        self._id = body["_id"]
        result: Any = SimpleNamespace(
            id=body["_id"],
            status=Status(body["status"]),
            email=(body.get("email") or {}).get("email"),
            reason=body.get("reason"),
            is_final=body["status"] in FINAL,
            reused=False,
        )
        self.was_told(result, began)

    def _body(self) -> dict[str, Any]:
        profile = f"http://de.linkedin.com/in/{self.person.title()}/?utm=1"
        body = {"linkedin_url": profile, "type": self.question.type}
        body["external_id"] = self.reference
        return body | ({"callback_url": self.callback_url} if self.callback_url else {})
