"""Invariants of lookups: what is paid, and which answers callers get."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tests.support.invariants.evidence import WITHHELD, Question, Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.invariants.evidence import Evidence, Told

_CALLS = """
    SELECT c.source, r.linkedin_url, r.type, count(*),
        sum(CASE c.state WHEN 'miss' THEN 1 ELSE 0 END)
    FROM source_calls c JOIN requests r ON r.id = c.request_id GROUP BY 1, 2, 3"""
_PAID = """
    SELECT r.team_id, r.linkedin_url, r.type, count(*)
    FROM ledger l JOIN requests r ON r.id = l.request_id
    WHERE l.kind = 'settle' AND r.linkedin_url <> '' GROUP BY 1, 2, 3"""
_MISSES = """
    SELECT r.id, min(c.state) FROM requests r
    LEFT JOIN source_calls c ON c.request_id = r.id AND c.state NOT IN ('hit', 'miss', 'rejected')
    WHERE r.status = 'not-found'
        AND coalesce(r.reason, '') NOT IN ('suppressed', 'erased', 'expired')
    GROUP BY r.id
    HAVING min(c.state) IS NOT NULL
        OR NOT EXISTS (SELECT 1 FROM source_calls a WHERE a.request_id = r.id)"""
_GIVEN_UP = """
    SELECT id FROM requests
    WHERE status = 'failed' AND reason = 'sources-unavailable' AND source_attempts = 0"""
_WAITED_TOO_SHORT = """
    SELECT r.id, c.source FROM requests r JOIN source_calls c ON c.request_id = r.id
    WHERE r.reason = 'answer-lost' AND c.answered_at > r.completed_at
        AND r.completed_at >= c.requested_at AND c.answered_at < c.requested_at + 60"""
_FOUND = """
    SELECT id, linkedin_url, email FROM requests WHERE coalesce(email, '') <> ''
    UNION ALL SELECT r.id, r.linkedin_url, c.email
    FROM source_calls c JOIN requests r ON r.id = c.request_id WHERE coalesce(c.email, '') <> ''"""
_REQUESTS = """
    SELECT id, team_id, linkedin_url, type, status, email, redacted_at FROM requests"""


def no_vendor_is_paid_twice(evidence: Evidence) -> Iterator[str]:
    """Each vendor charges at most once for each request that called it.

    The call is stored before it is sent, so a charge without its row is a violation, too.
    """
    answers = evidence.vendor_answers
    charged = Counter((a.vendor, a.profile, a.email_type) for a in answers if a.is_charged)
    if not charged:
        return
    calls = {(source, url, kind): n for source, url, kind, n, _ in evidence.rows(_CALLS)}
    # The profile of an erased request is gone; its calls are kept, for their cost.
    erased = Counter({(source, kind): n for (source, url, kind), n in calls.items() if not url})
    for (vendor, profile, kind), times in charged.items():
        stored = calls.get((vendor, profile, kind), 0)
        erased[vendor, kind] -= max(times - stored, 0)
        if erased[vendor, kind] < 0:
            yield f"{vendor} was paid {times} times for {kind} of {profile}, for {stored} calls"


def no_question_is_paid_twice(evidence: Evidence) -> Iterator[str]:
    """No team pays more often for a question than its callers meant to."""
    for team_id, profile, kind, times in evidence.rows(_PAID):
        meant = evidence.payments_meant.get(Question(team_id, profile, kind), 1)
        if times > meant:
            yield f"team {team_id} paid {times} times for {kind} of {profile}, and meant {meant}"


def an_unknown_outcome_is_unknown(evidence: Evidence) -> Iterator[str]:
    """A caller gets `outcome_unknown` only if the answer to a POST may be lost."""
    for told in evidence.told:
        if told.error == "outcome_unknown" and not told.is_unknown:
            yield f"{told.caller} was told of an unknown outcome, and no answer was lost"


def no_miss_stands_for_an_outage(evidence: Evidence) -> Iterator[str]:
    """A request ends as not found only if each source that was asked has answered so. A call is
    stored as a miss only if its vendor answered so."""
    for request_id, state in evidence.rows(_MISSES):
        yield f"request {request_id} is not found, and a source is {state or 'missing'}"
    if not evidence.vendor_answers:
        return
    said = Counter(
        (a.vendor, a.profile, a.email_type) for a in evidence.vendor_answers if a.said is Said.MISS
    )
    vendors = {answer.vendor for answer in evidence.vendor_answers}
    for vendor, profile, kind, _, misses in evidence.rows(_CALLS):
        times = said[vendor, profile, kind]
        if profile and vendor in vendors and misses > times:
            yield f"{vendor} said {times} times that it has no {kind} of {profile}, not {misses}"


def an_outage_is_waited_for(evidence: Evidence) -> Iterator[str]:
    """A request fails because of an outage only after at least one further attempt."""
    for (request_id,) in evidence.rows(_GIVEN_UP):
        yield f"request {request_id} failed at the first outage"


def an_answer_is_waited_for(evidence: Evidence) -> Iterator[str]:
    """No request ends with the reason `answer-lost` if the answer came within a minute of the
    call."""
    for request_id, source in evidence.rows(_WAITED_TOO_SHORT):
        yield f"request {request_id} ended as lost before {source} answered"


def answers_are_of_the_one_who_asked(evidence: Evidence) -> Iterator[str]:
    """Each answer is about the profile that was asked for, of the caller's team, and as it is
    stored; each address belongs to the person."""
    for request_id, profile, email in evidence.rows(_FOUND) if evidence.addresses else ():
        if profile in evidence.addresses and email not in evidence.addresses[profile]:
            yield f"request {request_id} about {profile} has an address of somebody else"
    if not evidence.told:
        return
    stored = {request_id: _Stored(*row) for request_id, *row in evidence.rows(_REQUESTS)}
    for told in evidence.told:
        theirs = evidence.addresses.get(told.question.profile)
        if told.email and theirs is not None and told.email not in theirs:
            yield f"{told.caller} was given an address that is not of {told.question.profile}"
        if told.request_id is not None and told.request_id not in stored:
            yield f"{told.caller} was told of request {told.request_id}, which does not exist"
        if told.request_id in stored:
            wrong = _differing(told, stored[told.request_id])
            yield from (f"{told.caller} {one}" for one in wrong)


class _Stored(NamedTuple):
    team_id: int
    profile: str
    kind: str
    status: str
    email: str | None
    redacted_at: float | None


def _differing(told: Told, stored: _Stored) -> Iterator[str]:
    """How the answer differs from its stored request."""
    if stored.team_id != told.question.team_id:
        yield f"of team {told.question.team_id} was given a request of team {stored.team_id}"
    if stored.redacted_at is not None:
        return
    if (stored.profile, stored.kind) != (told.question.profile, told.question.email_type):
        yield f"asked for {told.question}, and was given {stored.kind} of {stored.profile}"
    if told.email and told.email != stored.email:
        yield f"was given another address than is stored for {told.request_id}"
    is_final = told.status in ("completed", "not-found", "failed")
    if is_final and told.status != stored.status and told.reason not in WITHHELD:
        yield f"was told {told.status} of {told.request_id}, which is {stored.status}"
