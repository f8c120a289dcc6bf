"""The body that a POST was sent with, kept sealed until what came of it is known.

To send the same POST again takes its body to the letter. The profile and the type are known to who
asks again; the other two fields, which may hold an address or a secret, are encrypted under a key
that nobody can make without the account's API key and the profile.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EnrichmentRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class BodySeal:
    """Seals the bodies of one account."""

    secret: str

    def close(self, body: EnrichmentRequest) -> str:
        """What is to be kept of this body."""
        fields = {"callback_url": body.callback_url, "external_id": body.external_id}
        if not any(fields.values()):
            return ""  # as mostly: who asks again knows it all
        from cryptography.fernet import Fernet  # noqa: PLC0415 (it takes 50 ms to import)

        return Fernet(self._key(body)).encrypt(json.dumps(fields).encode()).decode()

    def open(self, kept: str, like: EnrichmentRequest) -> EnrichmentRequest | None:
        """The body that was sent about the same profile and type; None where it is damaged."""
        if not kept:
            return like.model_copy(update={"callback_url": None, "external_id": None})
        from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415

        try:
            fields = json.loads(Fernet(self._key(like)).decrypt(kept))
        except InvalidToken:
            return None
        return like.model_copy(update=fields)

    def _key(self, body: EnrichmentRequest) -> bytes:
        said = json.dumps([self.secret, body.linkedin_url, body.type])
        return base64.urlsafe_b64encode(hashlib.sha256(said.encode()).digest())
