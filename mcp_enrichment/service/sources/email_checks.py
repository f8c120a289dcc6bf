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


def address_check(*, check_mx: bool = False) -> AddressCheck:
    """All checks. `check_mx` adds the one that queries DNS."""
    if not check_mx:
        return EmailChecks()
    from mcp_enrichment.service.sources.mx_check import MXCheck

    return EmailChecks(MXCheck())
