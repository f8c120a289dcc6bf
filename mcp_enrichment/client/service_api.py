"""The calls of a service that the client makes: over HTTP, or in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_enrichment.client.http_api import InFlight, PollResult, PostResult
    from mcp_enrichment.contract.errors import EnrichmentError
    from mcp_enrichment.contract.models import Credits, EnrichmentRequest


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
