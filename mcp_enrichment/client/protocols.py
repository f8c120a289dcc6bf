"""The interface that the tools need of a client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_enrichment.client.lists import ListPreview, ListRow
    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.state.spending import CreditsView
    from mcp_enrichment.contract.models import EmailType


class EnrichmentBackend(Protocol):
    """`EnrichmentClient` and `ScopedClient`. The former documents the methods."""

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
    ) -> EnrichmentResult: ...

    def enrich_many(
        self,
        linkedin_urls: Iterable[str],
        type: EmailType,  # noqa: A002
        *,
        external_ids: Iterable[str | None] | None = None,
        max_credits: int | None = None,
        list_id: str = "",
        wait: float = ...,
    ) -> AsyncGenerator[ListRow, None]: ...

    async def preview_many(
        self,
        linkedin_urls: Iterable[str],
        type: EmailType,  # noqa: A002
    ) -> ListPreview: ...

    def cost(self, count: int) -> str | None: ...

    async def save_list(self, content: str) -> str: ...

    async def read_list(self, list_id: str) -> str: ...

    async def get(self, enrichment_id: str) -> EnrichmentResult: ...

    async def wait(
        self, enrichment_ids: Iterable[str], seconds: float
    ) -> list[EnrichmentResult]: ...

    def signature(self, text: str) -> str: ...

    async def credits(self) -> CreditsView: ...


GetClient = Callable[[], Awaitable[EnrichmentBackend]]
"""Connects on the first call, and returns the same client afterwards."""
