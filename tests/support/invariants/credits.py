"""Invariants of credits, budgets and caps."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mcp_enrichment.contract.defaults import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.invariants.evidence import Budget, Evidence

_SUM = "coalesce(sum(CASE WHEN l.kind = '{}' THEN l.amount END), 0)"
_GRANT, _CORRECT, _HOLD, _SETTLE, _RELEASE = map(
    _SUM.format, ("grant", "correct", "hold", "settle", "release")
)
_TEAMS = f"""
    SELECT t.id, t.available, t.held FROM teams t LEFT JOIN ledger l ON l.team_id = t.id
    GROUP BY t.id
    HAVING t.available <> {_GRANT} + {_CORRECT} - {_HOLD} + {_RELEASE}
        OR t.held <> {_HOLD} - {_SETTLE} - {_RELEASE}
        OR t.granted <> {_GRANT} OR t.corrected <> {_CORRECT}
        OR t.settled <> {_SETTLE} OR t.released <> {_RELEASE}"""  # noqa: S608 (fixed text)
_IS_RUNNING = "r.status IN ('pending', 'processing')"
_IS_CHARGED = "r.status = 'completed' AND coalesce(r.verification, '') <> 'inferred'"
_REQUESTS = f"""
    SELECT r.id, r.status, {_HOLD}, {_SETTLE}, {_RELEASE}
    FROM requests r LEFT JOIN ledger l ON l.request_id = r.id
    GROUP BY r.id
    HAVING {_HOLD} <> 1
        OR {_SETTLE} <> CASE WHEN {_IS_CHARGED} THEN 1 ELSE 0 END
        OR {_RELEASE} <> CASE WHEN {_IS_RUNNING} OR {_IS_CHARGED} THEN 0 ELSE 1 END
        OR max(CASE l.kind WHEN 'hold' THEN l.id END)
            > min(CASE l.kind WHEN 'hold' THEN NULL ELSE l.id END)"""  # noqa: S608 (fixed text)
_ORPHANS = """
    SELECT l.id FROM ledger l LEFT JOIN requests r ON r.id = l.request_id
    WHERE r.id IS NULL AND l.request_id IS NOT NULL"""
_ENTRIES = """
    SELECT id FROM (
        SELECT id, available_after, sum(
            CASE kind WHEN 'settle' THEN 0 WHEN 'hold' THEN -amount ELSE amount END
        ) OVER (PARTITION BY team_id ORDER BY id) AS added_up FROM ledger
    ) AS entries WHERE available_after <> added_up"""
_NEGATIVE = """
    SELECT 'team ' || id FROM teams WHERE available < 0 OR held < 0
    UNION ALL SELECT 'entry ' || id FROM ledger WHERE available_after < 0"""
_GIVEN = "SELECT id, granted + corrected FROM teams"
_NOT_RELEASED = """
    SELECT l.at FROM ledger l
    LEFT JOIN ledger back ON back.request_id = l.request_id AND back.kind = 'release'
    WHERE l.team_id = ? AND l.kind = 'hold' AND back.id IS NULL"""
_BELOW = "SELECT id FROM ledger WHERE team_id = ? AND kind = 'hold' AND available_after < ?"
_OPEN_OR_SETTLED = """
    SELECT count(*) FROM requests r
    LEFT JOIN ledger back ON back.request_id = r.id AND back.kind = 'release'
    WHERE r.team_id = ? AND back.id IS NULL AND r.linkedin_url IN ({})"""


def credits_are_conserved(evidence: Evidence) -> Iterator[str]:
    """Each team's balances are the sums of its ledger entries, and its grants those that the
    operator made. Each request has one hold; once it is final, the hold is settled or released,
    once, as the outcome requires."""
    for team_id, available, held in evidence.rows(_TEAMS):
        yield f"team {team_id}: {available} available and {held} held are not what its entries say"
    for request_id, status, *moved in evidence.rows(_REQUESTS):
        yield f"request {request_id} is {status}, and (held, settled, released) are {moved}"
    for (entry,) in evidence.rows(_ORPHANS):
        yield f"entry {entry} is of no request"
    for (entry,) in evidence.rows(_ENTRIES):
        yield f"entry {entry}: the balance after it is not the sum of the entries"
    given = dict(evidence.rows(_GIVEN)) if evidence.granted else {}
    for team_id, amount in evidence.granted.items():
        most = amount + evidence.perhaps_granted.get(team_id, 0)
        if not amount <= given.get(team_id, 0) <= most:
            yield f"team {team_id} has been given {amount}, and has {given.get(team_id, 0)}"


def no_balance_is_negative(evidence: Evidence) -> Iterator[str]:
    """No balance is, or was, below zero."""
    for (whose,) in evidence.rows(_NEGATIVE):
        yield f"the balance of {whose} is negative"


def budgets_and_caps_are_kept(evidence: Evidence) -> Iterator[str]:
    """No user spends more than the daily budget, or goes below the reserve; no list costs more than
    its cap. Spent and held credits count: a held one may still be charged."""
    for budget in evidence.budgets:
        yield from _of_budget(evidence, budget)
    for cap in evidence.caps:
        listed = _OPEN_OR_SETTLED.format(", ".join("?" * len(cap.profiles)))
        [(spent,)] = evidence.rows(listed, cap.team_id, *cap.profiles)
        if spent > cap.max_credits:
            yield f"a list may cost {cap.max_credits} credits, and has cost {spent}"


def _of_budget(evidence: Evidence, budget: Budget) -> Iterator[str]:
    if budget.daily is not None:
        days = Counter(at // DAY for (at,) in evidence.rows(_NOT_RELEASED, budget.team_id))
        for spent in days.values():
            if spent > budget.daily:
                yield f"team {budget.team_id} may spend {budget.daily} a day, and spent {spent}"
    if budget.reserve is not None:
        for (entry,) in evidence.rows(_BELOW, budget.team_id, budget.reserve):
            yield f"entry {entry} takes team {budget.team_id} below {budget.reserve} credits"
