"""Checks in DNS whether a domain accepts mail. No mail server is contacted."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import anyio
import idna
from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.name import root
from dns.resolver import NXDOMAIN, NoAnswer

from mcp_enrichment.service.sources.base import AddressDefect

if TYPE_CHECKING:
    from collections.abc import Callable

DNS_SECONDS = 3.0
"""The limit for all queries about one domain. After it, the result is unknown."""
CACHE_SIZE = 1000
"""Domains."""
CACHE_SECONDS = 3600.0
"""Seconds."""


class MXCheck:
    """Finds domains that accept no mail. Without an answer of DNS there is no defect."""

    def __init__(
        self,
        resolver: Resolver | None = None,
        *,
        seconds: float = DNS_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver, self._seconds, self._clock = resolver, seconds, clock
        self._cache: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    async def find_defect(self, email: str) -> AddressDefect | None:
        takes_mail = await self._of(email.rpartition("@")[2].lower())
        return AddressDefect.NO_MAIL if takes_mail is False else None

    async def _of(self, domain: str) -> bool | None:
        now = self._clock()
        cached, until = self._cache.get(domain, (None, now))
        if until > now:
            return cached
        takes_mail: bool | None = None
        with anyio.move_on_after(self._seconds):
            takes_mail = await self._query(domain)
        if takes_mail is not None:
            self._cache[domain] = takes_mail, now + CACHE_SECONDS
            self._cache.move_to_end(domain)
            if len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        return takes_mail

    async def _query(self, domain: str) -> bool | None:
        try:
            name = idna.encode(domain, uts46=True).decode() + "."
            # Raises here as well if the system has no resolver.
            self._resolver = self._resolver or Resolver()
            return await self._has_server(self._resolver, name)
        except NXDOMAIN:
            return False
        except (DNSException, idna.IDNAError):
            return None

    async def _has_server(self, resolver: Resolver, name: str) -> bool:
        """By its MX records or, without any, by its address (RFC 5321, 5.1)."""
        try:
            servers = await resolver.resolve(name, "MX", lifetime=self._seconds)
        except NoAnswer:
            return await self._has(resolver, name, "A") or await self._has(resolver, name, "AAAA")
        # A single server "." means none (RFC 7505).
        return any(server.exchange != root for server in servers)

    async def _has(self, resolver: Resolver, name: str, kind: str) -> bool:
        try:
            await resolver.resolve(name, kind, lifetime=self._seconds)
        except NoAnswer:
            return False
        return True
