"""Invariants of callbacks."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jsonschema import ValidationError
from standardwebhooks import Webhook

from tests.support.invariants.evidence import WITHHELD
from tests.support.openapi import must_be

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.support.invariants.evidence import Evidence, ReceivedCallback

MOST = 3
"""Attempts in one round, at most, by the contract."""
_TOO_MANY = f"""
    SELECT callback_id, count(*), max(number) FROM callback_attempts
    GROUP BY callback_id, round
    HAVING count(*) > {MOST} OR max(number) > {MOST} OR count(*) <> max(number)"""  # noqa: S608
_CALLBACKS = """
    SELECT c.id, c.url, c.external_id, c.request_id, r.team_id, r.status, count(a.number)
    FROM callbacks c JOIN requests r ON r.id = c.request_id
    LEFT JOIN callback_attempts a ON a.callback_id = c.id
    GROUP BY c.id, c.url, c.external_id, c.request_id, r.team_id, r.status"""
_ERASED = "SELECT id FROM requests WHERE redacted_at IS NOT NULL"
_SECRETS = "SELECT team_id, secret FROM callback_secrets"
_GIVEN_UP = f"""
    SELECT c.id, count(a.number) FROM callbacks c JOIN requests r ON r.id = c.request_id
    LEFT JOIN callback_attempts a ON a.callback_id = c.id AND a.round = c.round
    WHERE r.status NOT IN ('pending', 'processing') GROUP BY c.id
    HAVING count(a.number) < {MOST} AND coalesce(max(
        CASE WHEN a.outcome IN ('delivered', 'address-refused') OR a.http_status = 410
             THEN 1 ELSE 0 END), 0) = 0"""  # noqa: S608 (fixed text)
_DELIVERED = """
    SELECT DISTINCT callback_id FROM callback_attempts WHERE outcome = 'delivered'"""


def callbacks_are_tried_three_times_at_most(evidence: Evidence) -> Iterator[str]:
    """No callback has a fourth attempt in a round. None is sent before its attempt is stored."""
    for callback_id, attempts, number in evidence.rows(_TOO_MANY):
        yield f"callback {callback_id} has {attempts} attempts in a round, up to number {number}"
    if not evidence.callbacks:
        return
    stored = {row[0]: row[-1] for row in evidence.rows(_CALLBACKS)}
    arrived = Counter(_message_of(received) for received in evidence.callbacks)
    for message, times in arrived.items():
        most = stored.get(message.removeprefix("msg_"), MOST)  # it may be erased
        if times > most:
            yield f"{message} was received {times} times, and has {most} attempts"


def callbacks_are_signed(evidence: Evidence) -> Iterator[str]:
    """Each callback is signed, with a secret of the team whose request it is about."""
    if not evidence.callbacks:
        return
    secrets: defaultdict[int, list[Webhook]] = defaultdict(list)
    for team_id, secret in evidence.rows(_SECRETS):
        secrets[team_id].append(Webhook(secret))
    teams = {row[0]: row[4] for row in evidence.rows(_CALLBACKS)}
    everybody = [secret for of_team in secrets.values() for secret in of_team]
    for received in evidence.callbacks:
        message = _message_of(received)
        team_id = teams.get(message.removeprefix("msg_"))
        keys = everybody if team_id is None else secrets[team_id]  # an erased one has no team
        if not _is_signed(received, keys):
            yield f"{message} has no signature of team {team_id}"


def callbacks_are_of_the_one_who_asked(evidence: Evidence) -> Iterator[str]:
    """Each callback goes to the URL that its caller gave, with the caller's reference and the
    stored result. All its attempts have the same body, unless the address was withheld in
    between."""
    if not evidence.callbacks:
        return
    stored = {row[0]: row[1:] for row in evidence.rows(_CALLBACKS)}
    erased = {request_id for (request_id,) in evidence.rows(_ERASED)}
    bodies: defaultdict[str, set[bytes]] = defaultdict(set)
    for received in evidence.callbacks:
        message, body = _message_of(received), json.loads(received.body)
        callback = stored.get(message.removeprefix("msg_"))
        if callback:
            yield from (f"{message} {wrong}" for wrong in _wrong_in(received, body, callback))
        elif body["_id"] not in erased:
            yield f"{message} belongs to no callback"
        yield from _of_somebody_else(evidence, message, body)
        if body.get("reason") not in WITHHELD:
            bodies[message].add(received.body)
    yield from (f"{one} was sent with two bodies" for one, all_ in bodies.items() if len(all_) > 1)


def callbacks_fit_the_contract(evidence: Evidence) -> Iterator[str]:
    """Each body fits the contract's schema. It is slow, so it is checked at the end of a run."""
    for body in {received.body for received in evidence.callbacks}:
        try:
            must_be("Enrichment", json.loads(body))
        except ValidationError as error:
            yield f"a callback is not as the contract states: {error.message}"


def no_callback_is_given_up_early(evidence: Evidence) -> Iterator[str]:
    """At the end each callback was delivered, tried three times, or refused for good; and each that
    counts as delivered was received."""
    for callback_id, attempts in evidence.rows(_GIVEN_UP):
        yield f"callback {callback_id} was given up after {attempts} attempts"
    if not evidence.callbacks:
        return
    arrived = {_message_of(received) for received in evidence.callbacks}
    for (callback_id,) in evidence.rows(_DELIVERED):
        if f"msg_{callback_id}" not in arrived:
            yield f"callback {callback_id} counts as delivered, and was not received"


def _message_of(received: ReceivedCallback) -> str:
    return received.headers.get("webhook-id", "")


def _is_signed(received: ReceivedCallback, keys: Sequence[Webhook]) -> bool:
    """Whether one of the keys has signed it. `Webhook.verify` would refuse a message that is older
    than five minutes by the clock of the machine."""
    timestamp = received.headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal():
        return False
    sent_at = datetime.fromtimestamp(int(timestamp), UTC)
    text, message = received.body.decode(), _message_of(received)
    given = received.headers.get("webhook-signature", "").split()
    return any(key.sign(message, sent_at, text) in given for key in keys)


def _wrong_in(
    received: ReceivedCallback, body: Mapping[str, Any], callback: Sequence[Any]
) -> Iterator[str]:
    url, external_id, request_id, _, status, _ = callback
    if received.url != url:
        yield f"went to {received.url} and not to {url}"
    if body["_id"] != request_id:
        yield f"is about request {body['_id']} and not {request_id}"
    if body.get("external_id") != external_id:
        yield "has the reference of another caller"
    is_withheld = body.get("reason") in WITHHELD
    if body["status"] != status and not is_withheld:
        yield f"says {body['status']}, and the request is {status}"


def _of_somebody_else(evidence: Evidence, message: str, body: Mapping[str, Any]) -> Iterator[str]:
    email = (body.get("email") or {}).get("email")
    theirs = evidence.addresses.get(body.get("linkedin_url") or "")
    if email and theirs is not None and email not in theirs:
        yield f"{message} has an address of somebody else"
