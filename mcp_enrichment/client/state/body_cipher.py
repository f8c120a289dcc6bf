"""Keeps the body of a POST, encrypted, until its outcome is known.

A repeat of a POST must have the same body. The caller who repeats it knows the profile and the
type. The other two fields may hold an address or a secret, so they are encrypted. The encryption
key is derived from the account's API key and the profile, and is not stored.
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
class BodyCipher:
    """Seals the bodies of one account."""

    secret: str

    def encrypt(self, body: EnrichmentRequest) -> str:
        """What is to be kept of this body."""
        fields = {"callback_url": body.callback_url, "external_id": body.external_id}
        if not any(fields.values()):
            return ""  # as mostly: who asks again knows it all
        from cryptography.fernet import Fernet  # noqa: PLC0415 (it takes 50 ms to import)

        return Fernet(self._key(body)).encrypt(json.dumps(fields).encode()).decode()

    def decrypt(self, kept: str, like: EnrichmentRequest) -> EnrichmentRequest | None:
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
