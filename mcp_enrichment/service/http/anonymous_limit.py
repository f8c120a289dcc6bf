"""How often those who are not known may have the database looked at: judged before it is."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.service.accounts.api_keys import key_id_of
from mcp_enrichment.service.http.auth import KEY_HEADER
from mcp_enrichment.service.http.rate_limit import MAX_CALLERS, RateLimit, peer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

PROBES = 600
"""Requests a minute for `/ready` and `/metrics` from one address, whatever the quota of keys is: a
balancer that looks ten times a second is answered."""


@dataclass(slots=True)
class AnonymousLimit:
    """Counts callers without a valid key by where they come from.

    A key that was valid before is looked up whatever else comes from its address. So is one that
    was not seen yet, until the address has sent too many invalid ones; then such keys of all these
    addresses share one more quota, so that a new key gets through beside somebody who guesses.
    """

    limit: RateLimit
    _peers: RateLimit = field(init=False)
    _unseen: RateLimit = field(init=False)
    _probes: RateLimit = field(init=False)
    _seen: dict[bytes, None] = field(default_factory=dict)
    """Hashes of keys that were valid, the one longest unused first."""

    def __post_init__(self) -> None:
        self._peers, self._unseen = self.limit.for_peers(), self.limit.for_peers()
        self._probes = RateLimit(quota=PROBES, clock=self.limit.clock)

    @contextmanager
    def authenticating(self, request: Request) -> Iterator[None]:
        """Within it the caller's key is looked up. Raises `RateLimited`."""
        key, peer = request.headers.get(KEY_HEADER, ""), _peer(request)
        hashed = hashlib.sha256(key.encode()).digest()
        # What is not even of a key's form costs no look at the database.
        if key_id_of(key) and hashed not in self._seen and not self._peers.has_room(peer):
            self._unseen.take("all")
        try:
            yield
        except Unauthorized:
            self._seen.pop(hashed, None)
            self._peers.take(peer)
            raise
        self._remember(hashed)

    def take_probe(self, request: Request) -> None:
        """Count a request that needs no key and reads the database. Raises `RateLimited`."""
        self._probes.take(_peer(request))

    def _remember(self, hashed: bytes) -> None:
        self._seen.pop(hashed, None)
        self._seen[hashed] = None
        if len(self._seen) > MAX_CALLERS:
            del self._seen[next(iter(self._seen))]


def _peer(request: Request) -> str:
    return peer_of(request.client.host) if request.client else ""
