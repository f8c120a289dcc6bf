"""Checks of an email before it is returned. No mail is sent, and no mail server is contacted.

The libraries are imported at the first check, so that the server starts without them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.base import AddressDefect

# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Sequence

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

_JOINT = re.compile(r"[._-]")


class SyntaxCheck:
    """Finds invalid addresses."""

    async def find_defect(self, email: str) -> AddressDefect | None:
        from email_validator import EmailNotValidError, validate_email

        try:
            validate_email(email, check_deliverability=False)
        except EmailNotValidError:
            return AddressDefect.SYNTAX
        return None


class RoleCheck:
    """Finds role addresses."""

    def __init__(self) -> None:
        self._roles = frozenset(_JOINT.sub("", role) for role in ROLES.split())

    async def find_defect(self, email: str) -> AddressDefect | None:
        local = email.rpartition("@")[0].partition("+")[0].lower()
        return AddressDefect.ROLE if _JOINT.sub("", local) in self._roles else None


class DisposableCheck:
    """Finds disposable domains."""

    async def find_defect(self, email: str) -> AddressDefect | None:
        from disposable_email_domains import blocklist

        labels = email.rpartition("@")[2].lower().split(".")
        domains = {".".join(labels[depth:]) for depth in range(len(labels) - 1)}
        return None if blocklist.isdisjoint(domains) else AddressDefect.DISPOSABLE


@dataclass(frozen=True, slots=True)
class CombinedCheck:
    """Several checks in order. The first defect counts."""

    checks: Sequence[AddressCheck]

    async def find_defect(self, email: str) -> AddressDefect | None:
        for check in self.checks:
            if defect := await check.find_defect(email):
                return defect
        return None


def address_check(*, check_mx: bool = False) -> AddressCheck:
    """All checks. `check_mx` adds the one that queries DNS."""
    checks: list[AddressCheck] = [SyntaxCheck(), RoleCheck(), DisposableCheck()]
    if check_mx:
        from mcp_enrichment.service.sources.mx_check import MXCheck

        checks.append(MXCheck())
    return CombinedCheck(checks)
