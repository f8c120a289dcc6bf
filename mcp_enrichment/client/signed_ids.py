"""Ids that only the caller they were given to can use. Nothing about them is stored."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass

from mcp_enrichment.contract.digests import mac_of
from mcp_enrichment.contract.errors import UnknownEnrichment

TAG_BYTES = 12
"""96 bits: too many to guess at any rate limit."""
_TAG_LENGTH = TAG_BYTES * 4 // 3


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedId:
    """The content of a signed id."""

    id: str
    """The service's id."""
    is_own: bool
    """The caller has made the request; False if it joined another caller's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IdSigner:
    """Signs ids for one caller. All processes with the same secret can verify them."""

    secret: bytes
    caller: str

    def sign(self, enrichment_id: str, *, is_own: bool) -> str:
        """The id with a tag that is valid for this caller only."""
        return f"{enrichment_id}-{self._tag(enrichment_id, is_own=is_own)}"

    def verify(self, signed_id: str) -> VerifiedId:
        """Raises `UnknownEnrichment` if the id was not signed for this caller."""
        enrichment_id = signed_id[: -_TAG_LENGTH - 1]
        for is_own in (True, False):
            valid = self.sign(enrichment_id, is_own=is_own)
            if hmac.compare_digest(signed_id.encode(), valid.encode()):
                return VerifiedId(id=enrichment_id, is_own=is_own)
        raise UnknownEnrichment

    def _tag(self, enrichment_id: str, *, is_own: bool) -> str:
        parts = ("id", self.caller, enrichment_id, "own" if is_own else "joined")
        return base64.urlsafe_b64encode(mac_of(self.secret, *parts, size=TAG_BYTES)).decode()
