"""One caller's view of an account that several callers share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp_enrichment.client.results import as_reused
from mcp_enrichment.contract.errors import Unauthorized, UnknownEnrichment
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.signed_ids import IdSigner, VerifiedId
    from mcp_enrichment.client.state.spending import CreditsView
    from mcp_enrichment.contract.models import EmailType

MAY_NOT_SPEND = Explanation(
    happened="The token may read and wait for enrichments, not request any.",
    money=NOTHING_SENT,
    for_person="Allow this server the scope enrichment.spend.",
    for_assistant="Tell the user to allow this server the scope enrichment.spend.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScopedClient:
    """The calls of `EnrichmentClient`, with ids and references that are the caller's own.

    A question is still paid for once, whoever asks: another caller's is joined, under an id of the
    caller's own, and without what the other has called it.
    """

    client: EnrichmentClient
    signer: IdSigner
    may_submit: bool
    """Whether the caller may request anything at all."""

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
        answer = await self.client.request(
            linkedin_url,
            type,
            callback_url=callback_url,
            external_id=external_id,
            force_refresh=force_refresh,
            may_spend=may_spend,
            wait=wait,
        )
        signed_id = self.signer.sign(answer.id, is_own=not answer.reused)
        return replace(answer, id=signed_id, external_id=external_id)

    async def get(self, enrichment_id: str) -> EnrichmentResult:
        verified = self.signer.verify(enrichment_id)
        return _as_caller_sees_it(await self.client.get(verified.id), verified, enrichment_id)

    async def wait(self, enrichment_ids: Iterable[str], seconds: float) -> list[EnrichmentResult]:
        ids = list(enrichment_ids)
        verified = [self._verified(signed_id) for signed_id in ids]
        try:
            answers = await self.client.wait([one.id for one in verified], seconds)
        except UnknownEnrichment as error:
            known_as = dict(zip((one.id for one in verified), ids, strict=True))
            meant = known_as.get(error.enrichment_id or "")
            raise UnknownEnrichment(enrichment_id=meant) from error
        return list(map(_as_caller_sees_it, answers, verified, ids))

    def signature(self, text: str) -> str:
        return self.client.signature(f"{self.signer.caller}\n{text}")

    async def credits(self) -> CreditsView:
        return await self.client.credits()

    def _verified(self, signed_id: str) -> VerifiedId:
        try:
            return self.signer.verify(signed_id)
        except UnknownEnrichment as error:
            raise UnknownEnrichment(enrichment_id=signed_id) from error


def _as_caller_sees_it(
    answer: EnrichmentResult, verified: VerifiedId, signed_id: str
) -> EnrichmentResult:
    if verified.is_own:
        return replace(answer, id=signed_id)
    return replace(as_reused(answer), id=signed_id, external_id=None)
