"""Accepts requests, and reads them."""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp_enrichment import tracing
from mcp_enrichment.contract.errors import (
    CommitUnknown,
    EnrichmentError,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidArguments,
    InvalidProfileURL,
    UnknownEnrichment,
)
from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.contract.http import IDEMPOTENCY_SECONDS
from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url
from mcp_enrichment.contract.models import EnrichmentBody, FoundEmail, Status
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.callbacks import callback_table
from mcp_enrichment.service.lookup.resolution import is_charged
from mcp_enrichment.service.privacy.suppression import redact_if_suppressed
from mcp_enrichment.service.queue.job import QueuedLookup
from mcp_enrichment.service.requests import idempotency_table, request_table
from mcp_enrichment.service.requests.request_table import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from mcp_enrichment.contract.models import EnrichmentRequest
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.queue.job import NewLookup

_NO_NUL = Explanation(
    happened="external_id: NUL characters are not allowed.",
    money=NOTHING_DONE,
    for_person="Leave them out.",
)
ID_BYTES = 12
"""Random bytes of an id, written as 24 hex digits: unguessable."""
_ID = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")
MAX_CALLBACKS = 16
"""Callbacks of one request. Joining a request is free, so without a limit a caller could have any
number sent."""
_TOO_MANY_CALLBACKS = Explanation(
    happened=f"This request, which is running, has {MAX_CALLBACKS} callbacks already.",
    money=NOTHING_DONE,
    for_person="Leave the callback_url out and poll instead.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The request that answers a POST."""

    request: Request
    replayed: bool = False
    """Its idempotency key was seen before, with the same body."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _IdempotencyKey:
    key: str
    body_hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRequest:
    """A request that is to be accepted."""

    request: Request
    lookup: NewLookup
    callback_url: str | None
    key: _IdempotencyKey | None


async def accept(
    service: ServiceContext,
    team_id: int,
    asked: EnrichmentRequest,
    *,
    idempotency_key: str | None = None,
) -> Accepted:
    """Accept a request: it, its held credit, its callback and its job are one transaction.

    A running request of the team for the same profile and type is joined: no second credit is held,
    and the callback is added to it. Raises `InvalidProfileURL`,
    `CallbackRefused`, `InvalidArguments` (a NUL in the external_id), `InsufficientCredits`, and
    `IdempotencyConflict` if the key came with another body before.
    """
    new = prepare(service, team_id, asked, idempotency_key)
    try:
        accepted = await service.database.write(lambda c: _create_or_join(c, new))
    except CommitUnknown:
        new.lookup.begin()  # it may be stored; if it is not, the lookup can store nothing
        raise
    except BaseException:
        new.lookup.withdraw()
        raise
    if accepted.request is new.request:
        new.lookup.begin()
    else:
        new.lookup.withdraw()
    return accepted


def prepare(
    service: ServiceContext, team_id: int, asked: EnrichmentRequest, idempotency_key: str | None
) -> NewRequest:
    """The request with the place of its lookup, not stored yet. Raises refusals as `accept`."""
    new = _new_request(service, team_id, asked)
    case = service.sandbox_case(new.linkedin_url)
    if case and case.refusal:
        raise case.refusal
    key = _IdempotencyKey(key=idempotency_key, body_hash=_hash(asked)) if idempotency_key else None
    leased = service.lease_lookup(new.id, team_id)
    lookup = leased or QueuedLookup(service.database.queue, service.wake)
    new = replace(new, status=lookup.status)
    return NewRequest(request=new, lookup=lookup, callback_url=asked.callback_url, key=key)


async def read(
    service: ServiceContext, team_id: int, request_id: str, *, wait: float = 0
) -> Request:
    """The team's request, at once or when it is final, at the latest after `wait` seconds.

    Raises `UnknownEnrichment`.
    """
    get = reader(service, request_id)
    found = await service.database.read_few(lambda connection: get(connection, team_id))
    return await wait_until_final(service, team_id, found, wait)


def reader(service: ServiceContext, request_id: str) -> Callable[[Connection, int], Request | None]:
    """Reads the request of a team as it may be disclosed now; None if it has none."""

    def get(connection: Connection, team_id: int) -> Request | None:
        if not _ID.fullmatch(request_id):
            return None
        found = request_table.get_of_team(connection, team_id, request_id)
        return found and redact_if_suppressed(connection, service.database.pseudonyms, found)

    return get


async def wait_until_final(
    service: ServiceContext, team_id: int, found: Request | None, seconds: float
) -> Request:
    """The request that was read, or as it is when it is final, at the latest after `seconds`.

    Raises `UnknownEnrichment` if none was found.
    """
    if found and not found.status.is_final and seconds:
        await service.completion_waiter.wait(found.id, seconds)
        get = reader(service, found.id)
        found = await service.database.read_few(lambda connection: get(connection, team_id))
    if found is None:
        raise UnknownEnrichment
    return found


async def outcome_or_same(service: ServiceContext, answer: Request, seconds: float) -> Request:
    """The request once it is final, with the external_id of this answer; the same answer after so
    many seconds."""
    # The request is accepted: an error here would tell the caller that nothing was started.
    with suppress(EnrichmentError):
        found = await wait_until_final(service, answer.team_id, answer, seconds)
        if found.status.is_final:
            return replace(found, external_id=answer.external_id)
    return answer


def as_first_answered(request: Request, external_id: str | None) -> Request:
    """The request as the first POST returned it: pending, also if it is completed since.

    So a repeated POST returns the same bytes; a poll returns the current state.
    """
    return Request(
        id=request.id,
        team_id=request.team_id,
        linkedin_url=request.linkedin_url,
        type=request.type,
        external_id=external_id,
        created_at=request.created_at,
    )


def to_response(request: Request) -> EnrichmentBody:
    """The request in the form of the contract. One whose email was removed is `not-found`, and its
    cost stays."""
    final, completed = request.status.is_final, request.status is Status.COMPLETED
    return EnrichmentBody(
        id=request.id,
        status=Status.NOT_FOUND if completed and request.email is None else request.status,
        linkedin_url=request.linkedin_url,
        enrichment_type=request.type.enrichment_type if final else None,
        email=FoundEmail(email=request.email, type=request.type) if request.email else None,
        external_id=request.external_id,
        credits_charged=int(is_charged(request.status, request.verification)) if final else None,
        created_at=request.created_at,
        source=request.source if request.email else None,
        verification=request.verification if request.email else None,
        checked_at=request.checked_at if request.email else None,
        evidence=request.evidence if request.email else None,
        reason=request.reason,
    )


def _new_request(service: ServiceContext, team_id: int, asked: EnrichmentRequest) -> Request:
    try:
        profile = canonical_profile_url(asked.linkedin_url)
    except ProfileURLError as refusal:
        raise InvalidProfileURL(refusal.explanation) from refusal
    if asked.callback_url is not None:
        service.callback_policy.check_url(asked.callback_url)
    if asked.external_id is not None and "\0" in asked.external_id:
        # Postgres cannot store it: it is rejected on SQLite, too.
        raise InvalidArguments(_NO_NUL)
    return Request(
        id=_new_id(),
        team_id=team_id,
        linkedin_url=profile,
        type=asked.type,
        external_id=asked.external_id,
        created_at=service.clock(),
        traceparent=tracing.traceparent(),
    )


def _create_or_join(connection: Connection, new: NewRequest) -> Accepted:
    accepted, request = store(connection, new), new.request
    # Last, as all requests of a team lock its balance: so the lock is short.
    if accepted.request is request and not ledger.hold(
        connection, request.team_id, [request.id], at=request.created_at
    ):
        raise InsufficientCredits
    return accepted


def store(connection: Connection, new: NewRequest, *, is_payable: bool = True) -> Accepted:
    """Store a request, or find the one that answers it. Only its credit is not held yet.

    Raises `IdempotencyConflict`, `InvalidArguments` for too many callbacks, and
    `InsufficientCredits` for a new request that is not `is_payable`; then nothing is written.
    """
    request, key = new.request, new.key
    if key and (first := _find_replay(connection, request, key)):
        return Accepted(request=first, replayed=True)
    running = request_table.find_running_duplicate(connection, request)
    if not (running or is_payable):
        raise InsufficientCredits
    if not running:
        request_table.add(connection, request)
        new.lookup.enqueue(connection, request)
    answering = running or request
    if new.callback_url:
        _add_callback(connection, answering.id, new.callback_url, request.external_id)
    if key:
        idempotency_table.add(
            connection,
            request.team_id,
            key.key,
            body_hash=key.body_hash,
            request_id=answering.id,
            at=request.created_at,
        )
    return Accepted(request=answering)


def _add_callback(
    connection: Connection, request_id: str, url: str, external_id: str | None
) -> None:
    """Add a callback to a request, unless it has the same one."""
    known = callback_table.of_requests(connection, [request_id])
    if any((other.url, other.external_id) == (url, external_id) for other in known):
        return
    if len(known) >= MAX_CALLBACKS:
        raise InvalidArguments(_TOO_MANY_CALLBACKS)
    callback_table.add(
        connection, _new_id(), request_id=request_id, url=url, external_id=external_id
    )


def _find_replay(connection: Connection, new: Request, key: _IdempotencyKey) -> Request | None:
    since = new.created_at - IDEMPOTENCY_SECONDS
    seen = idempotency_table.get(connection, new.team_id, key.key, since=since)
    if seen is None:
        return None
    if seen.body_hash != key.body_hash:
        raise IdempotencyConflict
    return request_table.get(connection, seen.request_id)


def _hash(asked: EnrichmentRequest) -> str:
    return hashlib.sha256(asked.model_dump_json().encode()).hexdigest()


def _new_id() -> str:
    return secrets.token_hex(ID_BYTES)
