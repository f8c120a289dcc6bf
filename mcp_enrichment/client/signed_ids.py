"""Ids that only the caller they were given to can use, without a list of who was given what."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from mcp_enrichment.contract.errors import UnknownEnrichment

TAG_BYTES = 12
"""96 bits: to guess one takes more calls than any rate limit allows in the age of the universe."""
_TAG_LENGTH = TAG_BYTES * 4 // 3


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedId:
    """What a sealed id says."""

    id: str
    """As the service knows it."""
    is_own: bool
    """The caller has asked for it first; else the question of another caller was joined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IdSigner:
    """Seals ids for one caller. All processes that share the secret can open them."""

    secret: bytes
    caller: str

    def sign(self, enrichment_id: str, *, is_own: bool) -> str:
        """The id with a tag that holds for this caller alone."""
        return f"{enrichment_id}-{self._tag(enrichment_id, is_own=is_own)}"

    def verify(self, signed_id: str) -> VerifiedId:
        """Raises `UnknownEnrichment` for an id that was not given to this caller."""
        enrichment_id = signed_id[: -_TAG_LENGTH - 1]
        for is_own in (True, False):
            valid = self.sign(enrichment_id, is_own=is_own)
            if hmac.compare_digest(signed_id.encode(), valid.encode()):
                return VerifiedId(id=enrichment_id, is_own=is_own)
        raise UnknownEnrichment

    def _tag(self, enrichment_id: str, *, is_own: bool) -> str:
        how = "own" if is_own else "joined"
        said = "".join(f"{len(part)}:{part}" for part in ("id", self.caller, enrichment_id, how))
        digest = hmac.new(self.secret, said.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:TAG_BYTES]).decode()
