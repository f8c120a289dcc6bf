"""The callback job: sends a signed callback, in at most three attempts."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp_enrichment import tracing
from mcp_enrichment.contract import standard_webhooks
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_CHANGED, Explanation
from mcp_enrichment.service.accounts.teams import signing_secrets
from mcp_enrichment.service.callbacks import callback_table
from mcp_enrichment.service.callbacks.callback_table import DeliveryResult
from mcp_enrichment.service.metrics import CALLBACK_ATTEMPTS
from mcp_enrichment.service.privacy.suppression import redact_if_suppressed
from mcp_enrichment.service.queue.job import JobKind, Reschedule, delete_done
from mcp_enrichment.service.requests import request_table
from mcp_enrichment.service.requests.submission import to_response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.callbacks.callback_table import Callback
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.queue.job import Job, Queue
    from mcp_enrichment.service.requests.request_table import Request

_NO_CALLBACK = Explanation(
    happened="The team has no callback with this id whose request has ended.",
    money=NOTHING_CHANGED,
    for_person="`mcp-enrichment callbacks list` shows them all.",
)
JITTER = 0.2
"""A delay is lengthened by up to this share at random, to spread the load."""
LONGEST_RETRY_AFTER = 300.0
"""The longest `Retry-After` of a receiver that is obeyed, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallbackAttempt:
    """An attempt that is stored, and what is sent in it."""

    callback: Callback
    number: int
    request: Request
    secrets: Sequence[str]


async def deliver(service: ServiceContext, job: Job) -> Reschedule | None:
    """Make one attempt. It is stored before it is sent: a crash in between costs the attempt, and
    never leads to a fourth one."""
    attempt: CallbackAttempt | None = job.begun or await service.database.write(
        lambda c: begin(c, service, job.target_id)
    )
    if attempt is None:
        return None
    body = body_of(attempt.request, attempt.callback)
    headers = standard_webhooks.headers(
        message_id=f"msg_{attempt.callback.id}",
        at=service.clock(),
        body=body,
        signing_secrets=attempt.secrets,
    )
    with tracing.span(
        "deliver callback", tracing.SpanKind.CLIENT, parent=attempt.request.traceparent
    ):
        sent = await _send(service, attempt, body, headers | tracing.headers())
        tracing.annotate({"callback.attempt": attempt.number, "callback.outcome": sent.outcome})

    def close(connection: Connection) -> Reschedule | None:
        callback_table.close_attempt(
            connection,
            attempt.callback,
            attempt.number,
            at=service.clock(),
            outcome=sent.outcome,
            http_status=sent.http_status,
        )
        again = _retry_delay(service, sent, attempt.number)
        if again and _is_redelivered(connection, attempt.callback):
            again = None  # the new round has its own job
        if again is None:
            delete_done(connection, [job])
        return again

    again = await service.database.write(close)
    CALLBACK_ATTEMPTS.labels(number=str(attempt.number), outcome=sent.outcome).inc()
    return again


async def _send(
    service: ServiceContext, attempt: CallbackAttempt, body: bytes, headers: Mapping[str, str]
) -> DeliveryResult:
    case = service.sandbox_case(attempt.request.linkedin_url)
    if case and case.fails_attempt(attempt.number):
        return DeliveryResult(outcome=callback_table.AttemptOutcome.HTTP_ERROR, http_status=503)
    return await service.sender.send(attempt.callback.url, body, headers)


def redeliver(
    connection: Connection, queue: Queue, team_id: int, callback_id: str, *, at: float
) -> None:
    """Deliver a callback again, with three new attempts. Raises `InvalidArguments`."""
    callback = callback_table.get(connection, callback_id)
    request = request_table.get(connection, callback.request_id) if callback else None
    if request is None or request.team_id != team_id or not request.status.is_final:
        raise InvalidArguments(_NO_CALLBACK)
    callback_table.start_round(connection, callback_id)
    queue.enqueue_again(connection, JobKind.DELIVER, callback_id, team_id=team_id, at=at)


def body_of(request: Request, callback: Callback) -> bytes:
    """The contract's body: the same bytes in each attempt, unless its email is suppressed since."""
    with_its_reference = replace(request, external_id=callback.external_id)
    return json.dumps(to_response(with_its_reference).to_json(), ensure_ascii=False).encode()


def begin(
    connection: Connection, service: ServiceContext, callback_id: str
) -> CallbackAttempt | None:
    """Store the next attempt; None if the round is over."""
    callback = callback_table.get(connection, callback_id)
    request = request_table.get(connection, callback.request_id) if callback else None
    if callback is None or request is None:
        return None
    at = service.clock()
    redacted = redact_if_suppressed(connection, service.database.pseudonyms, request)
    secrets = signing_secrets(connection, request.team_id, at=at)
    # Last: if something before it raises, no attempt is lost.
    number = callback_table.claim_attempt(connection, callback, at=at)
    if number is None:
        return None
    return CallbackAttempt(callback=callback, number=number, request=redacted, secrets=secrets)


def _is_redelivered(connection: Connection, callback: Callback) -> bool:
    current = callback_table.get(connection, callback.id)
    return current is not None and current.round > callback.round


def _retry_delay(service: ServiceContext, sent: DeliveryResult, number: int) -> Reschedule | None:
    if sent.delivered or not sent.may_try_again or number >= callback_table.MAX_ATTEMPTS:
        return None
    requested = min(sent.retry_after or 0.0, LONGEST_RETRY_AFTER)
    delay = max(service.delivery_delays[number], requested)
    return Reschedule(delay * random.uniform(1, 1 + JITTER))  # noqa: S311
