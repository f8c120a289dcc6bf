"""What a world knows of itself, as evidence for the invariants."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.simulation.vendors import ENDS
from tests.support.invariants.evidence import (
    Budget,
    Evidence,
    Question,
    ReceivedCallback,
    Rows,
    Said,
    Told,
    VendorAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.people import Asking
    from tests.simulation.vendors import Vendor
    from tests.simulation.world import World

TEAM = 1
CHARGED = (*ENDS, "lost", "unreadable")
"""Ends of a search for which a vendor may charge: it must not be sent again."""


def evidence_of(world: World, rows: Rows) -> Evidence:
    """The evidence of a world so far."""
    budget = world.plan.daily_budget
    return Evidence(
        rows=rows,
        granted={TEAM: world.plan.credits},
        vendor_answers=[a for v in world.vendors.values() for a in _answers_of(v)],
        addresses=_addresses(world),
        payments_meant=_payments_meant(world),
        told=[told for face in world.faces for one in face.askings for told in _told(world, one)],
        callbacks=[
            ReceivedCallback(url=f"https://{m.host}{m.path}", headers=m.headers, body=m.body)
            for m in world.callbacks.seen
        ],
        budgets=[Budget(team_id=TEAM, daily=budget)] if budget is not None else (),
    )


def _answers_of(vendor: Vendor) -> Iterator[VendorAnswer]:
    """The searches of a vendor, with what it charges; and what it told, which costs no more."""
    for asked in vendor.invoice:
        yield VendorAnswer(
            vendor=vendor.name,
            profile=asked.profile,
            email_type=asked.type,
            said=Said.NOTHING,
            is_charged=asked.end in CHARGED,
            at=asked.at,
        )
    for (profile, kind, end), times in vendor.told.items():
        said = Said.MISS if end == "miss" else Said.HIT
        told = VendorAnswer(vendor=vendor.name, profile=profile, email_type=kind, said=said)
        yield from [told] * times


def _addresses(world: World) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for vendor in world.vendors.values():
        for profile, kind in vendor.ends:
            found.setdefault(profile, set()).add(vendor.address(profile, kind))
    return found


def _payments_meant(world: World) -> Counter[Question]:
    """Once each, and once more for each refresh and erasure."""
    meant: Counter[Question] = Counter()
    for face in world.faces:
        for asking in face.askings:
            question = asking.question
            key = Question(TEAM, question.profile, question.type)
            meant[key] = max(meant[key], 1 + world.erasures) + asking.refreshes
    return meant


def _told(world: World, asking: Asking) -> Iterator[Told]:
    question = asking.question
    about = Question(TEAM, question.profile, question.type)
    caller = f"person {question.number}"
    for result in asking.results:
        yield Told(
            caller=caller,
            question=about,
            request_id=result.id,
            status=result.status,
            email=result.email,
            reason=result.reason,
        )
    for error in asking.errors:
        yield Told(
            caller=caller, question=about, error=error.code, is_unknown=world.may_have_lost_answers
        )
