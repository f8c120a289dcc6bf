"""Calls one vendor for one request: paid at most once, also across crashes.

The call is stored before it is sent, and its result before anything uses it.
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
from mcp_enrichment.service import metrics
from mcp_enrichment.service.db.errors import require_transaction
from mcp_enrichment.service.lookup import circuit_breaker, source_call_table
from mcp_enrichment.service.lookup.source_call_mapping import (
    from_row,
    match_email_type,
    storable,
    to_columns,
)
from mcp_enrichment.service.lookup.source_call_table import CallState, SourceCall
from mcp_enrichment.service.queue.job import Reschedule
from mcp_enrichment.service.sources.base import Hit, InProgress, Lost, LostReason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.lookup.source_call_mapping import SourceOutcome
    from mcp_enrichment.service.requests.request_table import Request
    from mcp_enrichment.service.sources.base import Outcome, Vendor

T = TypeVar("T")
logger = logging.getLogger(__name__)

CALL_SECONDS = 60.0
"""The timeout of a call."""
STORE_SECONDS = 30.0
"""Seconds for which storing a paid result is retried while the database fails."""
STORE_RETRY = 0.5
ABANDONED_SECONDS = CALL_SECONDS + STORE_SECONDS + 5.0
"""Age after which a call without a result counts as abandoned: its process has died."""
IN_FLIGHT_RECHECK = 5.0
"""Seconds until a call that another process may be making is checked again."""
COLLECT_RETRY = 10.0
"""Seconds between two polls of a vendor that could not be reached."""
WORKING_SECONDS = 600.0
"""Seconds that a vendor may work on a request before its result counts as lost."""


async def call_vendor(
    service: ServiceContext, vendor: Vendor, request: Request
) -> SourceOutcome | Reschedule:
    """The vendor's result, stored or new: it is called only if it has not answered yet."""
    if service.shutdown.has_begun:
        return Reschedule(0.0)  # another process makes the call
    claim_token = secrets.token_hex(8)
    with service.shutdown.protected():
        begin = partial(
            _claim_or_stored,
            service=service,
            vendor=vendor,
            request=request,
            claim_token=claim_token,
        )
        try:
            found = await service.database.write(begin)
        except CommitUnknown:  # if it was saved, the retry finds its own row
            found = await _write_with_retry(service, begin)
        if not isinstance(found, SourceCall):
            return found
        answer = _validated(await _call(vendor, request, found.vendor_job_id), vendor, request)
        with anyio.CancelScope(shield=True):  # it may be paid for
            kept = await _store(service, vendor, found, answer)
    return from_row(kept, now=service.clock())


def _claim_or_stored(
    connection: Connection,
    service: ServiceContext,
    vendor: Vendor,
    request: Request,
    claim_token: str,
) -> SourceCall | SourceOutcome | Reschedule:
    """The row of the call that is to be made now, or the result without a call."""
    if not source_call_table.lock_if_running(connection, request.id):
        return Reschedule(0.0)  # the request is completed, or erased: no vendor is asked for it
    now = service.clock()
    stored = source_call_table.of_request(connection, request.id).get(vendor.name)
    if stored is None or _may_be_called(stored, vendor, now=now):
        mine = SourceCall(
            request_id=request.id, source=vendor.name, claim_token=claim_token, requested_at=now
        )
        return _claim(connection, mine, replacing=stored)
    if stored.state is CallState.REQUESTED:
        if stored.claim_token == claim_token:
            return stored  # a transaction that is repeated finds its own row
        if _is_in_flight(stored, now=now):
            return Reschedule(IN_FLIGHT_RECHECK)
        lost = Lost(why=LostReason.NO_ANSWER)
        values = to_columns(lost, vendor.terms, now=now)
        source_call_table.store_result(connection, request.id, vendor.name, **values)
        return lost
    is_due = stored.state is CallState.WORKING and now >= (stored.next_poll_at or now)
    return stored if is_due else from_row(stored, now=now)


def _may_be_called(stored: SourceCall, vendor: Vendor, *, now: float) -> bool:
    """Whether the call may be repeated without paying twice."""
    if stored.state is CallState.UNAVAILABLE:
        return now >= (stored.next_poll_at or now)
    died = stored.state is CallState.REQUESTED and not _is_in_flight(stored, now=now)
    return died and vendor.terms.idempotent_billing


def _is_in_flight(stored: SourceCall, *, now: float) -> bool:
    """Whether a process may be making the call now."""
    return 0 <= now - stored.requested_at < ABANDONED_SECONDS


def _claim(
    connection: Connection, mine: SourceCall, *, replacing: SourceCall | None
) -> SourceCall | SourceOutcome | Reschedule:
    paused_result = circuit_breaker.open_circuit(connection, mine.source, now=mine.requested_at)
    if paused_result:
        return paused_result
    return (
        mine
        if source_call_table.claim(connection, mine, replacing=replacing)
        else Reschedule(IN_FLIGHT_RECHECK)
    )


async def _call(vendor: Vendor, request: Request, job_id: str | None) -> Outcome | InProgress:
    """Call the vendor: the only place that does."""
    why = LostReason.NO_ANSWER
    try:
        with anyio.move_on_after(CALL_SECONDS):
            if job_id:
                return await vendor.collect(job_id, request.type)
            return await vendor.find(request.linkedin_url, request.type)
    except Exception as defect:  # noqa: BLE001 (the vendor may have charged)
        logger.error("the source %s raised %s", vendor.name, safe_traceback(defect))  # noqa: TRY400
        why = LostReason.UNREADABLE
    free = job_id or vendor.terms.idempotent_billing
    return Unavailable() if free else Lost(why=why)


def _validated(
    answer: Outcome | InProgress, vendor: Vendor, request: Request
) -> Outcome | InProgress:
    """The result as a row can hold it. An exception in here does not lose a paid result."""
    try:
        answer = storable(answer)
    except Exception as defect:  # noqa: BLE001 (the adapter returned another type)
        logger.error("the source %s answered with %s", vendor.name, safe_traceback(defect))  # noqa: TRY400
        return Lost(why=LostReason.UNREADABLE)
    with log_and_continue(logger, "the type of an address cannot be determined"):
        return (
            match_email_type(answer, request.type, vendor.terms)
            if isinstance(answer, Hit)
            else answer
        )
    return answer


async def _store(
    service: ServiceContext, vendor: Vendor, claimed: SourceCall, answer: Outcome | InProgress
) -> SourceCall:
    """Store the result; the row after that."""
    now = service.clock()
    kept = _limit_working_time(claimed, answer, now=now)
    values = to_columns(kept, vendor.terms, now=now)

    def write(connection: Connection) -> tuple[SourceCall, bool]:
        known = source_call_table.store_result(
            connection, claimed.request_id, claimed.source, **values
        )
        if known:
            _record_in_breaker(connection, vendor.name, answer, now=now)
        return source_call_table.of_request(connection, claimed.request_id)[claimed.source], known

    call, is_new = await _write_with_retry(service, write)
    if is_new:
        metrics.count_answer(call)
    return call


def _record_in_breaker(
    connection: Connection, source: str, answer: Outcome | InProgress, *, now: float
) -> None:
    """Record the result in the circuit breaker. An error there must not undo the paid result."""
    try:
        with connection.begin_nested():
            circuit_breaker.record(connection, source, answer, now=now)
    except Exception as defect:
        if getattr(defect, "connection_invalidated", False):
            raise  # the whole transaction is repeated
        require_transaction(connection)
        logger.error("the circuit breaker of %s is not updated: %s", source, safe_traceback(defect))  # noqa: TRY400


def _limit_working_time(
    claimed: SourceCall, answer: Outcome | InProgress, *, now: float
) -> Outcome | InProgress:
    """The result, with a limit for a vendor that is still working.

    A vendor that cannot be polled counts as still working.
    """
    if claimed.vendor_job_id and isinstance(answer, Unavailable):
        answer = InProgress(
            job_id=claimed.vendor_job_id, poll_after=answer.retry_after or COLLECT_RETRY
        )
    if not isinstance(answer, InProgress):
        return answer
    left = claimed.requested_at + WORKING_SECONDS - now
    if not 0 < left <= WORKING_SECONDS:
        return Lost(why=LostReason.NO_ANSWER)
    return replace(answer, poll_after=min(answer.poll_after, left))


async def _write_with_retry(service: ServiceContext, work: Callable[[Connection], T]) -> T:
    """Run the transaction, and retry it while the database fails: it stores a paid result."""
    until = anyio.current_time() + STORE_SECONDS
    while True:
        try:
            return await service.database.write(work)
        except StorageFailed as failure:
            if anyio.current_time() > until:
                raise
            logger.warning("a source's result cannot be stored yet: %s", failure.fault)
        await anyio.sleep(STORE_RETRY)
