"""Signatures of callbacks after the Standard Webhooks specification, 1.0.0."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from mcp_enrichment.contract.webhooks import ID, PREFIX, SIGNATURES, TIMESTAMP, sign

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET_BYTES = 32
"""Of the 24 to 64 that the specification allows."""


def new_secret() -> str:
    """A signing secret as it is given to the receiver."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


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
