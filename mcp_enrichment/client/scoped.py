"""The client as one caller sees it, if several callers share an account.

A caller gets signed ids, which only it can use. Nothing about them is stored.
"""

from __future__ import annotations

import base64
import hmac
import math
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from mcp_enrichment.client.results import as_reused
from mcp_enrichment.contract.digests import mac_of
from mcp_enrichment.contract.errors import Unauthorized, UnknownEnrichment
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.lists import ListPreview, ListRow
    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.state.spending import CreditsView
    from mcp_enrichment.contract.models import EmailType

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


MAY_NOT_SPEND = Explanation(
    happened="The token may read and wait for enrichments, not request any.",
    money=NOTHING_SENT,
    for_person="Allow this server the scope enrichment.spend.",
    for_assistant="Tell the user to allow this server the scope enrichment.spend.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScopedClient:
    """The methods of `EnrichmentClient` that tools call, with ids that only this caller can use.

    A lookup is paid for once for all callers: a caller that joins another's request gets an id of
    its own, and does not see the other's `external_id`.
    """

    client: EnrichmentClient
    signer: IdSigner
    may_submit: bool
    """Whether the caller may request enrichments."""

    async def request(
        self,
        linkedin_url: str,
        type: EmailType,  # noqa: A002 (the contract's name)
        *,
        callback_url: str | None = None,
        external_id: str | None = None,
        force_refresh: bool = False,
        may_spend: bool = True,
        wait: float = 0,
    ) -> EnrichmentResult:
        if not self.may_submit:
            raise Unauthorized(MAY_NOT_SPEND)
        result = await self.client.request(
            linkedin_url,
            type,
            callback_url=callback_url,
            external_id=external_id,
            force_refresh=force_refresh,
            may_spend=may_spend,
            wait=wait,
        )
        return self._signed(result, external_id)

    async def enrich_many(
        self,
        linkedin_urls: Iterable[str],
        type: EmailType,  # noqa: A002
        *,
        external_ids: Iterable[str | None] | None = None,
        max_credits: int | None = None,
        list_id: str = "",
        wait: float = math.inf,
    ) -> AsyncGenerator[ListRow, None]:
        if not self.may_submit:
            raise Unauthorized(MAY_NOT_SPEND)
        rows = self.client.enrich_many(
            linkedin_urls,
            type,
            external_ids=external_ids,
            max_credits=max_credits,
            list_id=list_id,
            wait=wait,
        )
        async with aclosing(rows):
            async for row in rows:
                result = row.result and self._signed(row.result, row.item.external_id)
                yield replace(row, result=result)

    async def preview_many(
        self,
        linkedin_urls: Iterable[str],
        type: EmailType,  # noqa: A002
    ) -> ListPreview:
        if not self.may_submit:
            raise Unauthorized(MAY_NOT_SPEND)  # it tells what other callers have requested
        return await self.client.preview_many(linkedin_urls, type)

    def cost(self, count: int) -> str | None:
        return self.client.cost(count)

    async def save_list(self, content: str) -> str:
        return await self.client.save_list(content)

    async def read_list(self, list_id: str) -> str:
        return await self.client.read_list(list_id)

    def _signed(self, result: EnrichmentResult, external_id: str | None) -> EnrichmentResult:
        signed_id = self.signer.sign(result.id, is_own=not result.reused)
        return replace(result, id=signed_id, external_id=external_id)

    async def get(self, enrichment_id: str) -> EnrichmentResult:
        verified = self.signer.verify(enrichment_id)
        return _for_caller(await self.client.get(verified.id), verified, enrichment_id)

    async def wait(self, enrichment_ids: Iterable[str], seconds: float) -> list[EnrichmentResult]:
        signed_ids = list(enrichment_ids)
        verified = [self._verify(signed_id) for signed_id in signed_ids]
        try:
            results = await self.client.wait([one.id for one in verified], seconds)
        except UnknownEnrichment as error:
            by_id = dict(zip((one.id for one in verified), signed_ids, strict=True))
            raise UnknownEnrichment(enrichment_id=by_id.get(error.enrichment_id or "")) from error
        return list(map(_for_caller, results, verified, signed_ids))

    def signature(self, text: str) -> str:
        return self.client.signature(f"{self.signer.caller}\n{text}")

    async def credits(self) -> CreditsView:
        return await self.client.credits()

    def _verify(self, signed_id: str) -> VerifiedId:
        try:
            return self.signer.verify(signed_id)
        except UnknownEnrichment as error:
            raise UnknownEnrichment(enrichment_id=signed_id) from error


def _for_caller(result: EnrichmentResult, verified: VerifiedId, signed_id: str) -> EnrichmentResult:
    if verified.is_own:
        return replace(result, id=signed_id)
    return replace(as_reused(result), id=signed_id, external_id=None)


ToolClient: TypeAlias = "EnrichmentClient | ScopedClient"
"""The client that tools call."""
GetClient: TypeAlias = "Callable[[], Awaitable[ToolClient]]"
"""Connects on the first call, and returns the same client afterwards."""
