"""Checks of an email before it is returned. No mail is sent, and no mail server is contacted.

The libraries are imported at the first check, so that the server starts without them.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.service.sources.base import AddressDefect

# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Callable

    from dns.asyncresolver import Resolver

    from mcp_enrichment.service.sources.base import AddressCheck

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


def _is_invalid(email: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        return True
    return False


def _is_role(email: str) -> bool:
    local = email.rpartition("@")[0].partition("+")[0].lower()
    return _JOINT.sub("", local) in _ROLES


def _is_disposable(email: str) -> bool:
    from disposable_email_domains import blocklist

    labels = email.rpartition("@")[2].lower().split(".")
    return any(".".join(labels[depth:]) in blocklist for depth in range(len(labels) - 1))


CHECKS = {
    AddressDefect.SYNTAX: _is_invalid,
    AddressDefect.ROLE: _is_role,
    AddressDefect.DISPOSABLE: _is_disposable,
}
"""In the order in which they are made. The first defect counts."""


@dataclass(frozen=True, slots=True)
class EmailChecks:
    """These checks, and then another one that takes longer."""

    last: AddressCheck | None = None

    async def find_defect(self, email: str) -> AddressDefect | None:
        for defect, has_it in CHECKS.items():
            if has_it(email):
                return defect
        return await self.last.find_defect(email) if self.last else None


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
        import idna
        from dns.asyncresolver import Resolver
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN

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
        from dns.name import root
        from dns.resolver import NoAnswer

        try:
            servers = await resolver.resolve(name, "MX", lifetime=self._seconds)
        except NoAnswer:
            return await self._has(resolver, name, "A") or await self._has(resolver, name, "AAAA")
        # A single server "." means none (RFC 7505).
        return any(server.exchange != root for server in servers)

    async def _has(self, resolver: Resolver, name: str, kind: str) -> bool:
        from dns.resolver import NoAnswer

        try:
            await resolver.resolve(name, kind, lifetime=self._seconds)
        except NoAnswer:
            return False
        return True


def address_check(*, check_mx: bool = False) -> AddressCheck:
    """All checks. `check_mx` adds the one that queries DNS."""
    return EmailChecks(MXCheck() if check_mx else None)
