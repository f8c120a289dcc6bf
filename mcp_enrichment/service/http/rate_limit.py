"""How much a caller may ask: a token bucket each, told in the headers of the current IETF draft."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = 60
"""Seconds in which a caller's quota grows back."""
MAX_CALLERS = 10_000
"""Buckets that are kept; those longest unused are full again, and need not be."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class RateLimit:
    """`quota` requests a minute for each caller, in bursts of up to all of them.

    It is of each process: the processes of one service do not know of each other's callers.
    """

    quota: int
    clock: Callable[[], float]
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def for_peers(self) -> RateLimit:
        """The same quota for those who are known by nothing but where they come from."""
        return RateLimit(quota=self.quota, clock=self.clock)

    def take(self, caller: str) -> None:
        """Count one request. Raises `RateLimited` where none is left."""
        bucket = self._filled(caller)
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) * WINDOW / self.quota)
            raise RateLimited(retry_after=wait)
        bucket.tokens -= 1

    def has_room(self, caller: str) -> bool:
        """Whether `take` would count one more."""
        return self._filled(caller).tokens >= 1

    def headers(self, caller: str) -> dict[str, str]:
        """What is left, after draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4."""
        bucket = self._filled(caller)
        grown_back = math.ceil((self.quota - bucket.tokens) * WINDOW / self.quota)
        return {
            "RateLimit-Policy": f'"default";q={self.quota};w={WINDOW}',
            "RateLimit": f'"default";r={int(bucket.tokens)};t={grown_back}',
        }

    def _filled(self, caller: str) -> _Bucket:
        now = self.clock()
        bucket = self._buckets.pop(caller, None) or _Bucket(self.quota, now)
        grown = bucket.tokens + max(now - bucket.at, 0) * self.quota / WINDOW
        bucket.tokens, bucket.at = min(grown, self.quota), now
        self._buckets[caller] = bucket  # last in order: the first is the one longest unused
        if len(self._buckets) > MAX_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        return bucket


def peer_of(host: str) -> str:
    """Who counts as one caller without a key: an IPv4 address, or an IPv6 network of 64 bits, out
    of which its owner has addresses without end."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host  # a socket that has no address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)
