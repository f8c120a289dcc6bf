"""Checks the settings at the start, and reports those with which every call would fail."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mcp_enrichment.contract.defaults import VENDOR_URL
from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.contract.explanation import invalid_setting
from mcp_enrichment.contract.pasted_text import api_key_problem
from mcp_enrichment.net.proxies import InvalidNetworkSetting, proxy_for, trusted_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.settings import Settings


def check_settings(settings: Settings) -> None:
    """Raise `Unauthorized` for an invalid key, and for an invalid proxy or certificate variable.

    The keyring is not read, as it may prompt the user.
    """
    fault = key_fault(settings)
    if fault is None and _may_be_invalid():
        fault = network_fault(settings)
    if fault:
        raise Unauthorized(invalid_setting(fault))


def key_fault(settings: Settings) -> str | None:
    """The problem of a key that is set or in a file. Raises `Unauthorized` if the file cannot be
    read."""
    if settings.api_key is None and settings.api_key_file is None:
        return None
    return api_key_problem(settings.key.key.get_secret_value()) if settings.key else None


def network_fault(settings: Settings) -> str | None:
    """The problem of a proxy or certificate variable that the servers of the settings need."""
    try:
        for url in _reached_urls(settings):
            proxy_for(url)
            trusted_certificates()
    except InvalidNetworkSetting as wrong:
        return str(wrong)
    return None


def _may_be_invalid() -> bool:
    """Whether a proxy or a missing certificate is set. Otherwise there is nothing to check, and
    reading certificates would slow down each start."""
    has_proxy = any(value and name.lower().endswith("_proxy") for name, value in os.environ.items())
    named = filter(None, map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))
    return has_proxy or not all(map(os.path.exists, named))


def _reached_urls(settings: Settings) -> Iterator[str]:
    if settings.api_url or settings.api_key or settings.api_key_file:
        yield settings.server_url
    if settings.vendor_keys:
        yield VENDOR_URL  # every vendor has https
    if settings.oauth_issuer:
        yield settings.oauth_issuer
