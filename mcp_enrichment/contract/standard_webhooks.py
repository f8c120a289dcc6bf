"""Signatures of webhooks by the Standard Webhooks specification 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
from secrets import token_bytes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


PREFIX = "whsec_"
TOLERANCE = 300
"""Seconds by which a timestamp may differ: an older message may be a replay."""
SECRET_BYTES = range(24, 65)
"""The allowed lengths of a secret."""
NEW_SECRET_BYTES = 32
ID, TIMESTAMP, SIGNATURES = "webhook-id", "webhook-timestamp", "webhook-signature"


def decode_secret(secret: str) -> bytes:
    """The key of a secret. Raises `ValueError` if its form or length is wrong."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise ValueError(f"it must be of the form {PREFIX}<base64>") from None
    if len(key) not in SECRET_BYTES:
        raise ValueError(f"a secret must be of 24 to 64 bytes in base64, and this has {len(key)}")
    return key


def sign(secret: str, *, message_id: str, timestamp: str, body: bytes) -> str:
    """One entry of the header `webhook-signature`. `body`: exactly the bytes that are sent."""
    key = decode_secret(secret)
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: float) -> bool:
    """Whether one of the secrets has signed it, within the tolerance. `now`: since the epoch."""
    message_id, timestamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not timestamp.isdecimal() or not abs(now - int(timestamp[:20])) <= TOLERANCE:
        return False
    valid = [
        sign(secret, message_id=message_id, timestamp=timestamp, body=body).encode()
        for secret in secrets
    ]
    given = [part.encode() for part in headers.get(SIGNATURES, "").split(" ")]
    return any(hmac.compare_digest(one, other) for one in given for other in valid)


def new_secret() -> str:
    """A signing secret as it is given to the receiver."""
    return PREFIX + base64.b64encode(token_bytes(NEW_SECRET_BYTES)).decode()


def headers(
    *, message_id: str, at: float, body: bytes, signing_secrets: Sequence[str]
) -> dict[str, str]:
    """The three headers of one attempt. Each secret has a signature, so that it can be replaced.

    `at` is in seconds since the epoch; `body` is signed as it is sent.
    """
    timestamp = str(int(at))
    signatures = [
        sign(secret, message_id=message_id, timestamp=timestamp, body=body)
        for secret in signing_secrets
    ]
    return {ID: message_id, TIMESTAMP: timestamp, SIGNATURES: " ".join(signatures)}
