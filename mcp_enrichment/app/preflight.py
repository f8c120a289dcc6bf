"""What can be known at the start to keep every call from working: told then, as one cause."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mcp_enrichment.contract.api_key_format import api_key_problem
from mcp_enrichment.contract.defaults import VENDOR_URL
from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.contract.explanation import invalid_setting
from mcp_enrichment.net.proxies import InvalidNetworkSetting, proxy_for, trusted_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_enrichment.settings import Settings


def check_settings(settings: Settings) -> None:
    """Raise `Unauthorized` where the key is none, or a variable for proxies or certificates cannot
    be used. The keyring is not asked: it may ask the user."""
    fault = key_fault(settings)
    if fault is None and _may_be_invalid():
        fault = network_fault(settings)
    if fault:
        raise Unauthorized(invalid_setting(fault))


def key_fault(settings: Settings) -> str | None:
    """What is wrong with a key that is set, or that a file holds. Raises `Unauthorized` where the
    file cannot be read."""
    if settings.api_key is None and settings.api_key_file is None:
        return None
    return api_key_problem(settings.key.key.get_secret_value()) if settings.key else None


def network_fault(settings: Settings) -> str | None:
    """What keeps this machine from reaching anybody whom the settings name."""
    try:
        for url in _reached_urls(settings):
            proxy_for(url)
            trusted_certificates()
    except InvalidNetworkSetting as wrong:
        return str(wrong)
    return None


def _may_be_invalid() -> bool:
    """Whether a proxy is set, or certificates that are missing. Else there is nothing to look at,
    and reading certificates would take its time at each start."""
    has_proxy = any(value and name.lower().endswith("_proxy") for name, value in os.environ.items())
    named = filter(None, map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))
    return has_proxy or not all(map(os.path.exists, named))


def _reached_urls(settings: Settings) -> Iterator[str]:
    """A URL of each kind of server that is asked."""
    if settings.api_url or settings.api_key or settings.api_key_file:
        yield settings.server_url
    if settings.vendor_keys:
        yield VENDOR_URL  # as every vendor's: https
    if settings.oauth_issuer:
        yield settings.oauth_issuer
