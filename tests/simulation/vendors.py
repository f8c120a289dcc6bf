"""The vendors of a world, in the words of three real ones. Each keeps its own invoice, which
outlives every process of ours."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.network import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.network import Message
    from tests.simulation.world import World

ENDS = ("verified", "unverified", "catch-all", "miss")
"""What a vendor has about a person and a type. As in `tests/support/lookup_outcomes.py`."""
TROUBLES = {
    "unavailable": (503, b""),
    "too many": (429, b""),
    "lost": (500, b"?"),
    "unreadable": (200, b"<html>"),
    "misconfigured": (401, b""),
    "out of credit": (402, b""),
}
"""What a vendor says instead, and charges nothing for."""


class Asked(NamedTuple):
    """A line of an invoice: a search that has arrived."""

    at: float
    profile: str
    type: str
    end: str


@dataclass(eq=False)
class Vendor:
    """A vendor behind its host name. It has one end for each person and type."""

    world: World
    name: str
    ends: dict[tuple[str, str], str]
    troubles: list[str]
    """What it says to its next searches, the last first. Then it answers."""
    invoice: list[Asked] = field(default_factory=list)
    told: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """The ends that were told, by person and type."""
    jobs: dict[str, tuple[str, int]] = field(default_factory=dict)

    def receive(self, message: Message, reply: Callable[[Answer], None]) -> None:
        self.world.scheduler.later(
            self.world.scheduler.random.choice((0.0, 0.1, 5.0)),
            lambda: reply(self._answer(message)),
        )

    def address(self, profile: str, kind: str) -> str:
        """The address that it has, from which everybody can tell whose it is."""
        return f"{profile.rpartition('/')[2]}.{kind}@{self.name}.example"

    def _answer(self, message: Message) -> Answer:
        if message.method == "GET":
            return self._collected(message.path.rpartition("/")[2])
        asked = json.loads(message.body)
        asked = asked["data"][0] if "data" in asked else asked
        profile = asked.get("linkedin_url") or asked["profile_url"]
        kind = "personal" if "personal" in message.path else "work"
        trouble = self.troubles.pop() if self.troubles else ""
        end = trouble or self.ends[profile, kind]
        self.invoice.append(Asked(self.world.scheduler.now, profile, kind, end))
        self.world.trace(f"{self.name} is asked for {profile.rpartition('/')[2]} ({kind})", end)
        if trouble:
            status, body = TROUBLES[trouble]
            return Answer(status, {}, body)
        if self.name == "bettercontact":
            job = f"job{len(self.jobs)}"
            self.jobs[job] = f"{profile} {kind}", self.world.scheduler.random.randrange(3)
            return _json(201, {"success": True, "id": job})
        self.told[profile, kind, end] += 1
        return _WORDS[self.name](end, self.address(profile, kind))

    def _collected(self, job: str) -> Answer:
        if job not in self.jobs:
            return _json(200, {"credits": 99, "credits_left": 99})  # the balance
        about, left = self.jobs[job]
        if left:
            self.jobs[job] = about, left - 1
            return _json(202, {"status": "in progress"})
        profile, kind = about.split(" ")
        end = self.ends[profile, kind]
        self.told[profile, kind, end] += 1
        return _bettercontact(end, self.address(profile, kind))


def _json(status: int, body: Any) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(body).encode())


def _findymail(end: str, address: str) -> Answer:
    if end == "miss":
        return _json(404, {"error": "Not found"})
    return _json(200, {"contact": {"email": address}})


def _leadmagic(end: str, address: str) -> Answer:
    if end == "miss":
        return _json(200, {"email": None, "status": "not_found", "credits_consumed": 0})
    word = {"verified": "valid", "unverified": "found", "catch-all": "valid_catch_all"}[end]
    found = {"email": address, "personal_email": address, "status": word}
    return _json(200, found | {"credits_consumed": 5})


def _bettercontact(end: str, address: str) -> Answer:
    words = {"verified": "deliverable", "catch-all": "catch_all_safe", "unverified": None}
    contact: dict[str, Any] = {"enriched": False, "contact_email_address": None}
    if end != "miss":
        contact = {"contact_email_address": address, "contact_email_address_status": words[end]}
    return _json(200, {"status": "terminated", "data": [contact]})


_WORDS: dict[str, Callable[[str, str], Answer]] = {
    "findymail": _findymail,
    "leadmagic": _leadmagic,
}
HOSTS = {
    "findymail": "app.findymail.com",
    "leadmagic": "api.leadmagic.io",
    "bettercontact": "app.bettercontact.rocks",
}
