"""Checks of an email before it is returned. No mail is sent, and no mail server is contacted.

The libraries are imported at the first check, so that the server starts without them.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.service.sources.base import AddressDefect

# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Callable

    from dns.asyncresolver import Resolver

ROLES = """
abuse accounting accounts admin administracion administration administrator all amministrazione
anfrage assistance bestellung billing booking bookings buchhaltung buero bureau careers comercial
commercial compliance contact contacto contactus contato contatti customercare customerservice
datenschutz direction direzione donotreply dpo einkauf empfang empleo enquiries enquiry
events facturacion feedback finance formation geral hello help helpdesk hi hola hostmaster hotline
hr info infos informacion information inquiries inquiry invoice invoices it jobs karriere kontakt
kundenservice legal mail mailbox mailerdaemon marketing media news newsletter noc noreply office
operations orders partners personal postmaster presse press privacy produktion purchasing
recepcion reception recruiting recruitment recrutement rh sales secretariat secretaria security
sekretariat service service-client sistemas soporte spam staff subscribe suporte support team tech
vendas ventas verkauf vertrieb ventes webmaster welcome www zentrale
"""
"""Local parts of role addresses, in several languages."""
DNS_SECONDS = 3.0
"""The limit for all queries about one domain. After it, the result is unknown."""
CACHE_SIZE = 1000
"""Domains."""
CACHE_SECONDS = 3600.0
"""Seconds."""

_JOINT = re.compile(r"[._-]")
_ROLES = frozenset(_JOINT.sub("", role) for role in ROLES.split())


class EmailChecks:
    """Checks of the address, and then the one that queries DNS, if it is on. The first defect
    counts.
    """

    def __init__(self, *, check_mx: bool = False) -> None:
        self._mx = MXCheck() if check_mx else None

    async def find_defect(self, email: str) -> AddressDefect | None:
        """The defect of the email; None if there is none, or it cannot be known."""
        from disposable_email_domains import blocklist
        from email_validator import EmailNotValidError, validate_email

        try:
            validate_email(email, check_deliverability=False)
        except EmailNotValidError:
            return AddressDefect.SYNTAX
        local, _, domain = email.lower().rpartition("@")
        if _JOINT.sub("", local.partition("+")[0]) in _ROLES:
            return AddressDefect.ROLE
        labels = domain.split(".")
        if any(".".join(labels[depth:]) in blocklist for depth in range(len(labels) - 1)):
            return AddressDefect.DISPOSABLE
        return await self._mx.find_defect(email) if self._mx else None


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
        domain, now = email.rpartition("@")[2].lower(), self._clock()
        takes_mail, until = self._cache.get(domain, (None, now))
        if until <= now:
            takes_mail = None
            with anyio.move_on_after(self._seconds):
                takes_mail = await self._query(domain)
            if takes_mail is not None:
                self._cache[domain] = takes_mail, now + CACHE_SECONDS
                self._cache.move_to_end(domain)
                if len(self._cache) > CACHE_SIZE:
                    self._cache.popitem(last=False)
        return AddressDefect.NO_MAIL if takes_mail is False else None

    async def _query(self, domain: str) -> bool | None:
        """By its MX records or, without any, by its address (RFC 5321, 5.1). None: unknown."""
        import idna
        from dns.asyncresolver import Resolver
        from dns.exception import DNSException
        from dns.name import root
        from dns.resolver import NXDOMAIN

        try:
            name = idna.encode(domain, uts46=True).decode() + "."
            # Raises here as well if the system has no resolver.
            self._resolver = self._resolver or Resolver()
            resolve = partial(
                self._resolver.resolve, name, lifetime=self._seconds, raise_on_no_answer=False
            )
            if servers := list(await resolve("MX")):
                # A single server "." means none (RFC 7505).
                return any(server.exchange != root for server in servers)
            return bool(list(await resolve("A")) or list(await resolve("AAAA")))
        except NXDOMAIN:
            return False
        except (DNSException, idna.IDNAError):
            return None
