"""Circuit breakers of vendors, shared by all processes of a database.

A vendor that fails is not called for a while. Then one call probes it; if that fails too, the pause
doubles.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select, update

from mcp_enrichment.contract.http import MAX_RETRY_AFTER
from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.db.schema import circuit_breakers as circuits
from mcp_enrichment.service.db.upsert import upsert
from mcp_enrichment.service.lookup import source_call_table
from mcp_enrichment.service.queue.job import exponential_backoff
from mcp_enrichment.service.sources.base import Lost, LostReason, Misconfigured, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.queue.job import Queue
    from mcp_enrichment.service.sources.base import InProgress, Outcome

FAILURES = 3
"""Failures in a row after which a vendor is paused."""
PAUSE, LONGEST_PAUSE = 30.0, 900.0
"""Seconds of its first pause, and of its longest."""
REFUSAL_PAUSE, LONGEST_REFUSAL_PAUSE = 900.0, 4 * 3600.0
"""The same for a vendor that rejects its key, plan or credit: a person has to act."""
PROBE_SECONDS = 90.0
"""Seconds after which another probe is made if the first one has no result."""
UNAVAILABLE = "unavailable"
# Built once, as every call of a vendor executes them.
_GET = select(circuits).where(circuits.c.source == bindparam("source"))
_LOCK = _GET.with_for_update()


def open_circuit(
    connection: Connection, source: str, *, now: float
) -> Unavailable | Misconfigured | None:
    """The result of a paused vendor; None if it is to be called."""
    circuit = get(connection, source)
    if circuit is None or circuit.open_until is None:
        return None
    until = circuit.open_until
    # Further ahead than any pause: the clock was set back.
    if not now < until <= now + MAX_RETRY_AFTER:
        until = now + PROBE_SECONDS
        if claim_probe(connection, circuit, until=until):
            return None
    reason = next((reason for reason in Reason if reason == circuit.reason), None)
    if reason:
        return Misconfigured(reason=reason)
    return Unavailable(retry_after=until - now)


def record(
    connection: Connection, source: str, outcome: Outcome | InProgress, *, now: float
) -> None:
    if outcome == Lost(why=LostReason.REFUSED):  # it concerns this request alone
        return
    current = get(connection, source, to_change=True)
    after = _after(source, outcome, current.failures if current else 0, now=now)
    if after:
        put(connection, after)
    elif current:
        close(connection, source)


def _after(
    source: str, outcome: Outcome | InProgress, failures_before: int, *, now: float
) -> Circuit | None:
    """The circuit after the result and so many earlier failures; None: it is closed."""
    if isinstance(outcome, Misconfigured):
        seconds = exponential_backoff(REFUSAL_PAUSE, failures_before + 1, LONGEST_REFUSAL_PAUSE)
        return _circuit(source, outcome.reason, failures_before, until=now + seconds)
    if not isinstance(outcome, Unavailable | Lost):
        return None
    reason = UNAVAILABLE if isinstance(outcome, Unavailable) else outcome.why
    retry_after_header = outcome.retry_after or 0.0 if isinstance(outcome, Unavailable) else 0.0
    earlier = failures_before + 1 - FAILURES
    seconds = exponential_backoff(PAUSE, earlier + 1, LONGEST_PAUSE) if earlier >= 0 else 0.0
    seconds = max(seconds, min(retry_after_header, MAX_RETRY_AFTER))
    return _circuit(source, reason, failures_before, until=now + seconds if seconds else None)


def _circuit(source: str, reason: str, failures_before: int, *, until: float | None) -> Circuit:
    return Circuit(source=source, failures=failures_before + 1, reason=reason, open_until=until)


@dataclass(frozen=True, kw_only=True, slots=True)
class Circuit:
    """A row of `circuit_breakers`."""

    source: str
    failures: int
    """Failed calls in a row."""
    reason: str
    """The last failure: `unavailable`, the `LostReason`, or the `Reason` of a rejection."""
    open_until: float | None = None
    """Seconds since the epoch; None if the circuit is closed."""


def get(connection: Connection, source: str, *, to_change: bool = False) -> Circuit | None:
    """The circuit of a source; None if it never failed. `to_change` locks the row."""
    row = connection.execute(_LOCK if to_change else _GET, {"source": source}).first()
    return Circuit(**row._mapping) if row else None


def put(connection: Connection, circuit: Circuit) -> None:
    values = asdict(circuit)
    new = upsert(connection, circuits).values(values)
    connection.execute(new.on_conflict_do_update(index_elements=["source"], set_=values))


def claim_probe(connection: Connection, circuit: Circuit, *, until: float) -> bool:
    """Claim the probe of a source after its pause; False if another process was faster."""
    this = (circuits.c.source == circuit.source) & (circuits.c.open_until == circuit.open_until)
    return connection.execute(update(circuits).where(this).values(open_until=until)).rowcount == 1


def close(connection: Connection, source: str) -> None:
    connection.execute(delete(circuits).where(circuits.c.source == source))


def end_pause(connection: Connection, queue: Queue, source: str, *, at: float) -> None:
    """Let the source be called from this time on, in seconds since the epoch.

    Every rescheduled lookup becomes due, as none says which source it waits for. One that waits for
    another source uses one of its attempts.
    """
    close(connection, source)
    source_call_table.call_again(connection, source, at=at)
    queue.look_up_now(connection, at=at)


def paused(connection: Connection, *, now: float) -> Sequence[Circuit]:
    """The circuits of the sources that are paused now, by name."""
    these = select(circuits).where(circuits.c.open_until > now).order_by(circuits.c.source)
    return [Circuit(**row._mapping) for row in connection.execute(these)]
