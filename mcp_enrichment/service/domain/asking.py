"""Asking one vendor for one request: paid at most once, also across crashes.

That it is asked is written down before, and what it answers before anything uses it.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from mcp_enrichment.contract.error_logging import log_and_continue, safe_traceback
from mcp_enrichment.contract.errors import CommitUnknown, StorageFailed
from mcp_enrichment.service import telemetry
from mcp_enrichment.service.domain import breaker
from mcp_enrichment.service.domain.outcomes import Pause, fitting, of_kind, outcome_of, values_of
from mcp_enrichment.service.sources.port import Hit, Lost, LostWhy, Unavailable, Working
from mcp_enrichment.service.store import source_calls
from mcp_enrichment.service.store.source_calls import Call, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from mcp_enrichment.service.domain.outcomes import SourceOutcome
    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.sources.port import Outcome, Vendor
    from mcp_enrichment.service.store.requests import Request

T = TypeVar("T")
logger = logging.getLogger(__name__)

CALL_SECONDS = 60.0
"""How long a vendor may take to answer a question."""
WRITING_SECONDS = 30.0
"""How long a database that fails is tried again with an answer that was paid for."""
WRITE_AGAIN = 0.5
ABANDONED_SECONDS = CALL_SECONDS + WRITING_SECONDS + 5.0
"""After this, whoever was asking is taken to have died in the middle."""
LOOK_AGAIN = 5.0
"""Seconds between two looks at what somebody else may be asking."""
COLLECT_AGAIN = 10.0
"""Seconds between two questions for an outcome, where the vendor could not be reached."""
WORKING_SECONDS = 600.0
"""How long a vendor may work on a request before its answer counts as lost."""


async def ask(service: Service, vendor: Vendor, request: Request) -> SourceOutcome | Pause:
    """What the vendor says, or has said before: only a question that it does not have is put."""
    if service.stopping.has_begun:
        return Pause(0.0)  # another process asks it
    asker = secrets.token_hex(8)
    with service.stopping.spared():
        begin = partial(_begin, service=service, vendor=vendor, request=request, asker=asker)
        try:
            found = await service.database.write(begin)
        except CommitUnknown:  # if it was saved, it meets its own row
            found = await _written(service, begin)
        if not isinstance(found, Call):
            return found
        answer = _readable(await _call(vendor, request, found.ticket), vendor, request)
        with anyio.CancelScope(shield=True):  # it may be paid for
            kept = await _keep(service, vendor, found, answer)
    return outcome_of(kept, now=service.clock())


def _begin(
    connection: Connection, service: Service, vendor: Vendor, request: Request, asker: str
) -> Call | SourceOutcome | Pause:
    """The row of the question that is to be put now, or what there is to say without."""
    now = service.clock()
    seen = source_calls.of_request(connection, request.id).get(vendor.name)
    if seen is None or _may_be_asked(seen, vendor, now=now):
        mine = Call(request_id=request.id, source=vendor.name, asker=asker, asked_at=now)
        return _claim(connection, mine, over=seen)
    if seen.state is State.ASKED:
        # A transaction that is run again meets its own row.
        if seen.asker == asker or _is_fresh(seen, now=now):
            return seen if seen.asker == asker else Pause(LOOK_AGAIN)
        lost = Lost(why=LostWhy.NO_ANSWER)
        values = values_of(lost, vendor.terms, now=now)
        source_calls.answer(connection, request.id, vendor.name, **values)
        return lost
    is_due = seen.state is State.WORKING and now >= (seen.ask_at or now)
    return seen if is_due else outcome_of(seen, now=now)


def _may_be_asked(seen: Call, vendor: Vendor, *, now: float) -> bool:
    """Whether a question that was put before may be put again: nothing is paid twice."""
    if seen.state is State.UNAVAILABLE:
        return now >= (seen.ask_at or now)
    died = seen.state is State.ASKED and not _is_fresh(seen, now=now)
    return died and vendor.terms.repeats_are_free


def _is_fresh(seen: Call, *, now: float) -> bool:
    """Whether somebody may be asking at this moment."""
    return 0 <= now - seen.asked_at < ABANDONED_SECONDS


def _claim(
    connection: Connection, mine: Call, *, over: Call | None
) -> Call | SourceOutcome | Pause:
    if not source_calls.is_running(connection, mine.request_id):
        return Pause(0.0)  # somebody else has ended it: nothing more is paid for it
    if alone := breaker.left_alone(connection, mine.source, now=mine.asked_at):
        return alone
    return mine if source_calls.claim(connection, mine, over=over) else Pause(LOOK_AGAIN)


async def _call(vendor: Vendor, request: Request, ticket: str | None) -> Outcome | Working:
    """The one place where a vendor is called."""
    why = LostWhy.NO_ANSWER
    try:
        with anyio.move_on_after(CALL_SECONDS):
            if ticket:
                return await vendor.collect(ticket, request.type)
            return await vendor.find(request.linkedin_url, request.type)
    except Exception as defect:  # noqa: BLE001 (an adapter's: the vendor may have charged)
        logger.error("the source %s raised %s", vendor.name, safe_traceback(defect))  # noqa: TRY400
        why = LostWhy.UNREADABLE
    free = ticket or vendor.terms.repeats_are_free
    return Unavailable() if free else Lost(why=why)


def _readable(answer: Outcome | Working, vendor: Vendor, request: Request) -> Outcome | Working:
    """The answer as a row can hold it. Whatever this raises, one that was paid for is kept."""
    try:
        answer = fitting(answer)
    except Exception as defect:  # noqa: BLE001 (the adapter gave something that is no answer)
        logger.error("the source %s answered with %s", vendor.name, safe_traceback(defect))  # noqa: TRY400
        return Lost(why=LostWhy.UNREADABLE)
    with log_and_continue(logger, "the kind of an address is not known"):
        return of_kind(answer, request.type, vendor.terms) if isinstance(answer, Hit) else answer
    return answer


async def _keep(service: Service, vendor: Vendor, asked: Call, answer: Outcome | Working) -> Call:
    """The row once the answer is written there."""
    now = service.clock()
    kept = _bounded(asked, answer, now=now)
    values = values_of(kept, vendor.terms, now=now)

    def write(connection: Connection) -> tuple[Call, bool]:
        known = source_calls.answer(connection, asked.request_id, asked.source, **values)
        if known:
            _note(connection, vendor.name, answer, now=now)
        return source_calls.of_request(connection, asked.request_id)[asked.source], known

    call, is_new = await _written(service, write)
    if is_new:
        count(call)
    return call


def _note(connection: Connection, source: str, answer: Outcome | Working, *, now: float) -> None:
    """Have the breaker take note. A defect of that may not undo the answer, which is paid for."""
    try:
        with connection.begin_nested():
            breaker.note(connection, source, answer, now=now)
    except Exception as defect:
        if getattr(defect, "connection_invalidated", False):
            raise  # the whole transaction is to be run again
        logger.error("the source %s is not taken note of: %s", source, safe_traceback(defect))  # noqa: TRY400


def _bounded(asked: Call, answer: Outcome | Working, *, now: float) -> Outcome | Working:
    """The answer; for a vendor that works on it, bounded in time.

    A vendor that cannot be reached for what it has begun goes on with it all the same.
    """
    if asked.ticket and isinstance(answer, Unavailable):
        answer = Working(ticket=asked.ticket, ask_after=answer.retry_after or COLLECT_AGAIN)
    if not isinstance(answer, Working):
        return answer
    left = asked.asked_at + WORKING_SECONDS - now
    if not 0 < left <= WORKING_SECONDS:
        return Lost(why=LostWhy.NO_ANSWER)
    return replace(answer, ask_after=min(answer.ask_after, left))


async def _written(service: Service, work: Callable[[Connection], T]) -> T:
    """Run the transaction, again and again where the database fails: it holds what was paid for."""
    until = anyio.current_time() + WRITING_SECONDS
    while True:
        try:
            return await service.database.write(work)
        except StorageFailed as failure:
            if anyio.current_time() > until:
                raise
            logger.warning("a source's answer cannot be stored yet: %s", failure.fault)
        await anyio.sleep(WRITE_AGAIN)


def count(call: Call) -> None:
    """Count an answer that has come in the metrics."""
    if call.answered_at is None:
        return
    telemetry.SOURCE_ANSWERS.labels(source=call.source, outcome=call.state.value).inc()
    telemetry.SOURCE_SPENT.labels(source=call.source).inc(call.cost)
    took = max(call.answered_at - call.asked_at, 0.0)
    telemetry.SOURCE_SECONDS.labels(source=call.source).observe(took)
