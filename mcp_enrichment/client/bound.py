"""One caller's view of an account that several callers share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp_enrichment.client.answer import as_reused
from mcp_enrichment.contract.errors import Unauthorized, UnknownEnrichment
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_enrichment.client.answer import Answer
    from mcp_enrichment.client.client import EnrichmentClient
    from mcp_enrichment.client.seal import Opened, Seal
    from mcp_enrichment.client.spending import Purse
    from mcp_enrichment.contract.models import EmailType

MAY_NOT_SPEND = Explanation(
    happened="The token may read and wait for enrichments, not request any.",
    money=NOTHING_SENT,
    for_person="Allow this server the scope enrichment.spend.",
    for_assistant="Tell the user to allow this server the scope enrichment.spend.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundClient:
    """The calls of `EnrichmentClient`, with ids and references that are the caller's own.

    A question is still paid for once, whoever asks: another caller's is joined, under an id of the
    caller's own, and without what the other has called it.
    """

    client: EnrichmentClient
    seal: Seal
    may_ask: bool
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
    ) -> Answer:
        if not self.may_ask:
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
        sealed = self.seal.close(answer.id, is_own=not answer.reused)
        return replace(answer, id=sealed, external_id=external_id)

    async def get(self, enrichment_id: str) -> Answer:
        opened = self.seal.open(enrichment_id)
        return _as_caller_sees_it(await self.client.get(opened.id), opened, enrichment_id)

    async def wait(self, enrichment_ids: Iterable[str], seconds: float) -> list[Answer]:
        ids = list(enrichment_ids)
        opened = [self._opened(sealed) for sealed in ids]
        try:
            answers = await self.client.wait([one.id for one in opened], seconds)
        except UnknownEnrichment as error:
            known_as = dict(zip((one.id for one in opened), ids, strict=True))
            meant = known_as.get(error.enrichment_id or "")
            raise UnknownEnrichment(enrichment_id=meant) from error
        return list(map(_as_caller_sees_it, answers, opened, ids))

    def signature(self, text: str) -> str:
        return self.client.signature(f"{self.seal.caller}\n{text}")

    async def credits(self) -> Purse:
        return await self.client.credits()

    def _opened(self, sealed: str) -> Opened:
        try:
            return self.seal.open(sealed)
        except UnknownEnrichment as error:
            raise UnknownEnrichment(enrichment_id=sealed) from error


def _as_caller_sees_it(answer: Answer, opened: Opened, sealed: str) -> Answer:
    if opened.is_own:
        return replace(answer, id=sealed)
    return replace(as_reused(answer), id=sealed, external_id=None)
