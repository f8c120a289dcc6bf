"""Rate limits: a token bucket for each caller, with the headers of the current IETF draft."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import RateLimited, Unauthorized
from mcp_enrichment.service.accounts.api_keys import key_id_of
from mcp_enrichment.service.http.parsing import KEY_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

WINDOW = 60
"""Seconds in which a caller's quota is restored."""
MAX_CALLERS = 10_000
"""The most buckets in memory. The least recently used ones are dropped: they are full again."""
PROBES = 600
"""Requests a minute for `/ready` and `/metrics` from one address: enough for ten a second, as load
balancers send."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class RateLimit:
    """`quota` requests a minute for each caller, also in one burst.

    Each process has its own limit.
    """

    quota: int
    clock: Callable[[], float]
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def for_peers(self) -> RateLimit:
        """The same quota for callers without a valid key, by address."""
        return RateLimit(quota=self.quota, clock=self.clock)

    def take(self, caller: str) -> None:
        """Count one request. Raises `RateLimited` if none is left."""
        bucket = self._filled(caller)
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) * WINDOW / self.quota)
            raise RateLimited(retry_after=wait)
        bucket.tokens -= 1

    def charge(self, caller: str, requests: int) -> None:
        """Count this many further requests of a batch whose first one is counted. Those beyond the
        quota delay the caller's next requests."""
        self._filled(caller).tokens -= requests

    def has_room(self, caller: str) -> bool:
        """Whether `take` would count one more."""
        return self._filled(caller).tokens >= 1

    def headers(self, caller: str) -> dict[str, str]:
        """The headers of draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4."""
        bucket = self._filled(caller)
        grown_back = math.ceil((self.quota - bucket.tokens) * WINDOW / self.quota)
        return {
            "RateLimit-Policy": f'"default";q={self.quota};w={WINDOW}',
            "RateLimit": f'"default";r={max(int(bucket.tokens), 0)};t={grown_back}',
        }

    def _filled(self, caller: str) -> _Bucket:
        now = self.clock()
        bucket = self._buckets.pop(caller, None) or _Bucket(self.quota, now)
        grown = bucket.tokens + max(now - bucket.at, 0) * self.quota / WINDOW
        bucket.tokens, bucket.at = min(grown, self.quota), now
        self._buckets[caller] = bucket  # last in order: the first is the least recently used
        if len(self._buckets) > MAX_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        return bucket


def peer_of(host: str) -> str:
    """One caller without a key: an IPv4 address, or an IPv6 /64 network, which has one owner."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host  # a socket without an address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


@dataclass(slots=True)
class AnonymousLimit:
    """Limits callers without a valid key, by address.

    A key that was valid before is always verified. So is a new one, until its address has sent too
    many invalid ones. After that the new keys of all such addresses share one more quota, so that a
    new valid key is still accepted while somebody guesses keys.
    """

    limit: RateLimit
    _peers: RateLimit = field(init=False)
    _unseen: RateLimit = field(init=False)
    _probes: RateLimit = field(init=False)
    _seen: dict[bytes, None] = field(default_factory=dict)
    """Hashes of keys that were valid, the least recently used first."""

    def __post_init__(self) -> None:
        self._peers, self._unseen = self.limit.for_peers(), self.limit.for_peers()
        self._probes = RateLimit(quota=PROBES, clock=self.limit.clock)

    @contextmanager
    def authenticating(self, request: Request) -> Iterator[None]:
        """Within it the caller's key is verified. Raises `RateLimited`."""
        key = request.headers.get(KEY_HEADER, "")
        hashed = hashlib.sha256(key.encode()).digest()
        # A malformed key needs no database query.
        is_new = key_id_of(key) and hashed not in self._seen
        if is_new and not self._peers.has_room(_peer(request)):
            self._unseen.take("all")
        try:
            yield
        except Unauthorized:
            self._seen.pop(hashed, None)
            self._peers.take(_peer(request))
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
