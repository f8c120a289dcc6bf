"""Encrypts the body of a POST until its outcome is known.

A repeated POST must have the same body. The caller that repeats it knows the profile and the type.
The other two fields may hold an email or a secret, so they are encrypted. The encryption key is
derived from the account's API key and the profile, and is not stored. The embedded service has no
API key: there the encryption key is derived from the profile, the type and the name of the
database. All can be guessed, so this encryption keeps the fields from a casual reader only.
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
    """Encrypts the bodies of one account."""

    secret: str

    def encrypt(self, body: EnrichmentRequest) -> str:
        """The `callback_url` and the `external_id`, encrypted; an empty text without them."""
        fields = {"callback_url": body.callback_url, "external_id": body.external_id}
        if not any(fields.values()):
            return ""
        from cryptography.fernet import Fernet  # noqa: PLC0415 (it takes 50 ms to import)

        return Fernet(self._key(body)).encrypt(json.dumps(fields).encode()).decode()

    def decrypt(self, saved: str, like: EnrichmentRequest) -> EnrichmentRequest | None:
        """The body that was sent about the profile and type of `like`; None if it is damaged."""
        if not saved:
            return like.model_copy(update={"callback_url": None, "external_id": None})
        from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415

        try:
            fields = json.loads(Fernet(self._key(like)).decrypt(saved))
        except InvalidToken:
            return None
        return like.model_copy(update=fields)

    def _key(self, body: EnrichmentRequest) -> bytes:
        derived_from = json.dumps([self.secret, body.linkedin_url, body.type])
        return base64.urlsafe_b64encode(hashlib.sha256(derived_from.encode()).digest())
