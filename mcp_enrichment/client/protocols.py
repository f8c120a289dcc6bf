"""The interfaces between the tools, the client and the service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_enrichment.client.http_api import InFlight, PollResult, PostResult
    from mcp_enrichment.client.lists import ListPreview, ListRow
    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.state.spending import CreditsView
    from mcp_enrichment.contract.errors import EnrichmentError
    from mcp_enrichment.contract.models import Credits, EmailType, EnrichmentRequest


class ServiceApi(Protocol):
    """The three calls of the contract and the POST of a batch, without retries."""

    @property
    def in_flight(self) -> InFlight:
        """The calls that are being made."""

    @property
    def batch_limit(self) -> int:
        """Requests that the service takes in one POST; 0 as long as it has not said that it takes
        batches."""

    async def post(self, request: EnrichmentRequest, *, key: str, hold: int = 0) -> PostResult:
        """Submit a request. Raises `OutcomeUnknown` if it failed but may have arrived.

        `hold`: seconds that the service may wait for the outcome, if a connection can be spared.
        """

    async def post_batch(
        self, posts: Sequence[tuple[EnrichmentRequest, str]]
    ) -> Sequence[PostResult | EnrichmentError]:
        """Submit requests, each with its key, at once. Raises as `post`."""

    async def get(self, enrichment_id: str, *, hold: int = 0) -> PollResult:
        """Poll a request. `hold`: seconds that the service may wait for it to become final."""

    async def credits(self) -> Credits:
        """Read the balance."""

    async def aclose(self) -> None:
        """Close the connections."""


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
