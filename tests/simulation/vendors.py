"""Three vendors, with the HTTP interfaces of real ones. Each records what it answers and charges,
and its records survive every fault."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulation.network import Answer
from tests.support.invariants import Violated
from tests.support.invariants.evidence import Said, VendorAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.network import Message
    from tests.simulation.world import World

PROFILE = "https://www.linkedin.com/in/"
ENDS = ("verified", "unverified", "catch-all", "miss")
"""The possible outcomes for a person and a type. The names are as in
`tests/support/lookup_outcomes.py`."""
TROUBLES = {
    "unavailable": (503, b""),
    "too many": (429, b""),
    "lost": (500, b"?"),
    "unreadable": (200, b"<html>"),
    "misconfigured": (401, b""),
    "out of credit": (402, b""),
}
"""Failures: the HTTP status and body of a vendor's answer, by name."""
FREE = ("unavailable", "too many", "misconfigured", "out of credit")
"""Failures for which no vendor charges."""


ON_ITS_WAY = 1.0
"""Seconds after an erasure in which a call may arrive that was begun before."""


@dataclass(eq=False)
class Vendor:
    """A vendor behind its host name, with one outcome for each person and type."""

    world: World
    name: str
    troubles: list[str]
    """The failures of its next searches, the last one first. When none is left, it answers."""
    jobs: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Person, type, and the polls until it is done, for each job by its id."""

    def receive(self, message: Message, reply: Callable[[Answer], None]) -> None:
        seconds = self.world.scheduler.random.choice(self.world.plan.vendor_seconds)
        answer = self._answer(message)
        self.world.scheduler.later(seconds, lambda: reply(answer))

    def _answer(self, message: Message) -> Answer:
        if message.method == "GET":
            return self._collected(message.path.rpartition("/")[2])
        asked = json.loads(message.body)
        asked = asked["data"][0] if "data" in asked else asked
        person = (asked.get("linkedin_url") or asked["profile_url"]).rpartition("/")[2]
        kind = "personal" if "personal" in message.path else "work"
        self._must_not_be_erased(person)
        trouble = self.troubles.pop() if self.troubles else ""
        is_job = self.name == "bettercontact" and not trouble
        end = self.world.plan.ends.get((self.name, person, kind), "miss")
        said = Said.NOTHING if trouble or is_job else _said(end)
        self._note(person, kind, said, is_charged=trouble not in FREE)
        self.world.trace(f"{self.name} is asked for {person} ({kind})", trouble or end)
        if trouble:
            status, body = TROUBLES[trouble]
            return Answer(status, {}, body)
        if is_job:
            job = f"job{len(self.jobs)}"
            self.jobs[job] = person, kind, self.world.scheduler.random.randrange(3)
            return _json(201, {"success": True, "id": job})
        return _WORDS[self.name](end, f"{person}.{kind}@{self.name}.example")

    def _must_not_be_erased(self, person: str) -> None:
        now = self.world.scheduler.now
        if now > self.world.truth.erased.get(person, now) + ON_ITS_WAY:
            wrong = f"{self.name} is asked about {person}, who is erased"
            self.world.scheduler.raised.append(
                Violated("no_vendor_is_asked_about_the_erased", [wrong])
            )

    def _collected(self, job: str) -> Answer:
        if job not in self.jobs:
            return _json(200, {"credits": 99, "credits_left": 99})  # the balance
        person, kind, left = self.jobs[job]
        if left:
            self.jobs[job] = person, kind, left - 1
            return _json(202, {"status": "in progress"})
        end = self.world.plan.ends.get((self.name, person, kind), "miss")
        self._note(person, kind, _said(end))
        return _bettercontact(end, f"{person}.{kind}@{self.name}.example")

    def _note(self, person: str, kind: str, said: Said, *, is_charged: bool = False) -> None:
        answer = VendorAnswer(
            vendor=self.name,
            profile=PROFILE + person,
            email_type=kind,
            said=said,
            is_charged=is_charged,
            at=self.world.wall_time(),
        )
        self.world.truth.vendor_answers.append(answer)


def _said(end: str) -> Said:
    return Said.MISS if end == "miss" else Said.HIT


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
