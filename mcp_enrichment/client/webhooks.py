"""Being told of an end instead of asking for it, by a callback address of our own for each request.

A push is a hint and no more: the request is then asked for, once, as it would have been without.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio

from mcp_enrichment.client import retry
from mcp_enrichment.contract.errors import StorageFailed

if TYPE_CHECKING:
    from mcp_enrichment.client.state.webhook_store import WebhookStore
    from mcp_enrichment.contract.models import EnrichmentBody, EnrichmentRequest

logger = logging.getLogger(__name__)

WATCH_EVERY = 0.1
"""Seconds between two looks for pushes that another process was sent."""
MAX_SEEN = 10_000
"""Requests whose last state is kept, so that a new wait for one need not begin with a question."""
TAG_BYTES = 16
_TOKEN = re.compile(rf"([A-Za-z0-9_-]{{1,128}})\.[0-9a-f]{{{2 * TAG_BYTES}}}")


class Waits(Protocol):
    """Whoever waits for the ends of requests."""

    def poll_now(self, enrichment_id: str) -> None:
        """Ask for this request, if anybody waits for it."""

    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A request whose end is to be pushed, as it was last seen."""

    last: EnrichmentBody | None = None
    pause: float = 0.0
    """Seconds until it is asked for all the same."""


@dataclass(frozen=True, slots=True)
class _Seen:
    wire: EnrichmentBody
    at: float


class Webhooks:
    """The pushes of one account, to any process that shares the file and the secret."""

    def __init__(self, *, url: str, secret: bytes, file: WebhookStore) -> None:
        """`url`: what a vendor POSTs to, without the part that tells requests apart."""
        self._url = url
        self._secret = secret
        self._file = file
        self._seen: dict[str, _Seen] = {}
        self._came = anyio.Event()
        self._is_taken = True

    def with_callback_url(self, asked: EnrichmentRequest, key: str) -> EnrichmentRequest:
        """The request with our address, unless the caller has one of its own or the vendor takes
        none. The same request has the same address whenever it is sent."""
        if asked.callback_url is not None or not self._is_taken:
            return asked
        return asked.model_copy(update={"callback_url": f"{self._url}/{key}.{self._tag(key)}"})

    def refused(self) -> None:
        """The vendor does not take our address: it is given to no further request."""
        self._is_taken = False
        logger.warning("the service refuses callbacks to ENRICHMENT_PUBLIC_URL: it is polled")

    async def expect(self, key: str, accepted: EnrichmentBody) -> None:
        """A request with our address was accepted."""
        self._note(accepted)
        try:
            await self._file.expect(key, accepted.id)
        except StorageFailed:
            logger.warning("could not record that a push is expected")

    async def expected(self, enrichment_id: str) -> Expected | None:
        """How to wait for a request; None where it is polled."""
        try:
            is_expected = await self._file.is_expected(enrichment_id)
        except StorageFailed:
            return None
        if not is_expected:
            return None
        seen = self._seen.get(enrichment_id)
        due = seen.at + retry.WEBHOOK_POLL_INTERVAL - anyio.current_time() if seen else 0.0
        return Expected(seen.wire if seen else None, max(due, 0.0))

    async def record_poll(self, wire: EnrichmentBody, *, notified: bool) -> None:
        """An expected request was asked for. `told`: a push has come meanwhile."""
        if not wire.status.is_final:
            self._note(wire)
            return
        self._seen.pop(wire.id, None)
        if not notified:
            # From now on it is polled, here and in every process, until a push comes.
            with suppress(StorageFailed):
                await self._file.miss()
            logger.warning(
                "a lookup has ended and no callback came: is ENRICHMENT_PUBLIC_URL right?"
            )

    async def notify(self, token: str) -> bool:
        """A push has come to the address with this token; False where we never gave it.

        Raises `StorageFailed`.
        """
        named = _TOKEN.fullmatch(token)
        if named is None or not hmac.compare_digest(token, f"{named[1]}.{self._tag(named[1])}"):
            return False
        await self._file.notify(named[1])
        self._came.set()
        return True

    async def watch(self, waits: Waits) -> None:
        """Have asked for what pushes have come for, to this process or another, for ever."""
        number = 0
        while True:
            with anyio.move_on_after(WATCH_EVERY):
                await self._came.wait()
            self._came = anyio.Event()
            if not waits.is_idle():
                number = await self._pass_on(waits, number)

    async def _pass_on(self, waits: Waits, number: int) -> int:
        try:
            number, ids = await self._file.notified_since(number)
        except StorageFailed:
            return number  # whoever waits asks by itself, if later
        for enrichment_id in ids:
            waits.poll_now(enrichment_id)
        return number

    def _note(self, wire: EnrichmentBody) -> None:
        self._seen.pop(wire.id, None)
        self._seen[wire.id] = _Seen(wire, anyio.current_time())
        if len(self._seen) > MAX_SEEN:
            del self._seen[next(iter(self._seen))]

    def _tag(self, key: str) -> str:
        return (
            hmac.new(self._secret, f"push:{key}".encode(), hashlib.sha256)
            .digest()[:TAG_BYTES]
            .hex()
        )
