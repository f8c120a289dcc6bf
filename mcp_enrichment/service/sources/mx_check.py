"""Whether a domain takes mail, as DNS says. No mail server is asked."""

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
"""For all questions about one domain; what takes longer is not known."""
CACHE_SIZE = 1000
"""Domains."""
CACHE_SECONDS = 3600.0
"""Seconds."""


class MXCheck:
    """Finds the domains that take no mail; where DNS does not tell, nothing is known."""

    def __init__(
        self,
        resolver: Resolver | None = None,
        *,
        seconds: float = DNS_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver, self._seconds, self._clock = resolver, seconds, clock
        self._told: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    async def find_defect(self, email: str) -> AddressDefect | None:
        takes_mail = await self._of(email.rpartition("@")[2].lower())
        return AddressDefect.NO_MAIL if takes_mail is False else None

    async def _of(self, domain: str) -> bool | None:
        now = self._clock()
        told, until = self._told.get(domain, (None, now))
        if until > now:
            return told
        takes_mail: bool | None = None
        with anyio.move_on_after(self._seconds):
            takes_mail = await self._asked(domain)
        if takes_mail is not None:
            self._told[domain] = takes_mail, now + CACHE_SECONDS
            self._told.move_to_end(domain)
            if len(self._told) > CACHE_SIZE:
                self._told.popitem(last=False)
        return takes_mail

    async def _asked(self, domain: str) -> bool | None:
        try:
            name = idna.encode(domain, uts46=True).decode() + "."
            # Without a resolver of the system's there is nobody to ask: that is told here as well.
            self._resolver = self._resolver or Resolver()
            return await self._has_server(self._resolver, name)
        except NXDOMAIN:
            return False
        except (DNSException, idna.IDNAError):
            return None

    async def _has_server(self, resolver: Resolver, name: str) -> bool:
        """By its MX records, and without any by its own address (RFC 5321, 5.1)."""
        try:
            servers = await resolver.resolve(name, "MX", lifetime=self._seconds)
        except NoAnswer:
            return await self._has(resolver, name, "A") or await self._has(resolver, name, "AAAA")
        # One server named "." says that there is none (RFC 7505).
        return any(server.exchange != root for server in servers)

    async def _has(self, resolver: Resolver, name: str, kind: str) -> bool:
        try:
            await resolver.resolve(name, kind, lifetime=self._seconds)
        except NoAnswer:
            return False
        return True
