"""The second job: a callback, tried at most three times and signed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp_enrichment import tracing
from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_CHANGED, Explanation
from mcp_enrichment.service.domain import signing
from mcp_enrichment.service.domain.lookup import Again
from mcp_enrichment.service.domain.privacy import as_told
from mcp_enrichment.service.domain.requests import enrichment_type
from mcp_enrichment.service.domain.service import Sent
from mcp_enrichment.service.domain.teams import signing_secrets
from mcp_enrichment.service.store import callbacks, jobs
from mcp_enrichment.service.store import requests as store
from mcp_enrichment.service.store.jobs import JobKind
from mcp_enrichment.service.telemetry import CALLBACK_TRIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from mcp_enrichment.service.domain.service import Service
    from mcp_enrichment.service.store.callbacks import Callback
    from mcp_enrichment.service.store.jobs import Job, Queue
    from mcp_enrichment.service.store.requests import Request
    from mcp_enrichment.service.store.subjects import Subjects

_NO_CALLBACK = Explanation(
    happened="The team has no callback with this id whose request has ended.",
    money=NOTHING_CHANGED,
    for_person="`mcp-enrichment callbacks list` shows them all.",
)
JITTER = 0.2
"""A delay is stretched by up to this share of itself, lest many callbacks come at once."""
LONGEST_RETRY_AFTER = 300.0
"""Seconds; what a receiver asks for beyond that is not waited for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Try:
    callback: Callback
    number: int
    request: Request
    secrets: Sequence[str]


async def deliver(service: Service, job: Job) -> Again | None:
    """Send one try of a callback. A try is written down before it is sent: a crash between the two
    costs the try, never a fourth one."""
    subjects = service.database.subjects
    claimed = await service.database.write(
        lambda c: _claim(c, job.subject, subjects, at=service.clock())
    )
    if claimed is None:
        return None
    body = body_of(claimed.request, claimed.callback)
    headers = signing.headers(
        message_id=f"msg_{claimed.callback.id}",
        at=service.clock(),
        body=body,
        signing_secrets=claimed.secrets,
    )
    with tracing.span(
        "deliver callback", tracing.SpanKind.CLIENT, parent=claimed.request.traceparent
    ):
        sent = await _send(service, claimed, body, headers | tracing.headers())
        tracing.note({"callback.try": claimed.number, "callback.outcome": sent.outcome})

    def close(connection: Connection) -> Again | None:
        _close(connection, claimed, sent, at=service.clock())
        again = _next(service, sent, claimed.number)
        if again and _is_repeated(connection, claimed.callback):
            again = None  # the repeat has a job of its own
        if again is None:
            jobs.take_off(connection, [job])
        return again

    again = await service.database.write(close)
    CALLBACK_TRIES.labels(number=str(claimed.number), outcome=sent.outcome).inc()
    return again


async def _send(service: Service, claimed: _Try, body: bytes, headers: Mapping[str, str]) -> Sent:
    scene = service.scene_of(claimed.request.linkedin_url)
    if scene and scene.fails_try(claimed.number):
        return Sent(outcome=callbacks.TryOutcome.HTTP_ERROR, http_status=503)
    return await service.sender.send(claimed.callback.url, body, headers)


async def give_up(_service: Service, _job: Job) -> None:
    """A callback that cannot be sent is not sent: its tries say how far it came."""


def repeat(
    connection: Connection, queue: Queue, team_id: int, callback_id: str, *, at: float
) -> None:
    """Have a callback delivered once more, with three new tries. Raises `InvalidArguments`."""
    callback = callbacks.get(connection, callback_id)
    request = store.get(connection, callback.request_id) if callback else None
    if request is None or request.team_id != team_id or not request.status.is_final:
        raise InvalidArguments(_NO_CALLBACK)
    callbacks.next_round(connection, callback_id)
    queue.put_again(connection, JobKind.DELIVER, callback_id, team_id=team_id, at=at)


def body_of(request: Request, callback: Callback) -> bytes:
    """The contract's body: the same bytes on each try, unless its address is suppressed between."""
    told = replace(request, external_id=callback.external_id)
    return json.dumps(enrichment_type(told).to_json(), ensure_ascii=False).encode()


def _claim(
    connection: Connection, callback_id: str, subjects: Subjects, *, at: float
) -> _Try | None:
    callback = callbacks.get(connection, callback_id)
    request = store.get(connection, callback.request_id) if callback else None
    if callback is None or request is None:
        return None
    number = callbacks.claim_try(connection, callback, at=at)
    if number is None:
        return None
    secrets = signing_secrets(connection, request.team_id, at=at)
    told = as_told(connection, subjects, request)
    return _Try(callback=callback, number=number, request=told, secrets=secrets)


def _close(connection: Connection, closed: _Try, sent: Sent, *, at: float) -> None:
    callbacks.close_try(
        connection,
        closed.callback,
        closed.number,
        at=at,
        outcome=sent.outcome,
        http_status=sent.http_status,
    )


def _is_repeated(connection: Connection, callback: Callback) -> bool:
    now = callbacks.get(connection, callback.id)
    return now is not None and now.round > callback.round


def _next(service: Service, sent: Sent, number: int) -> Again | None:
    if sent.delivered or not sent.may_try_again or number >= callbacks.MAX_TRIES:
        return None
    asked = min(sent.retry_after or 0.0, LONGEST_RETRY_AFTER)
    delay = max(service.delivery_delays[number], asked)
    return Again(delay * random.uniform(1, 1 + JITTER))  # noqa: S311
