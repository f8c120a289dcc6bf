"""The proxy and the certificates for a server, from the environment.

The variables are the usual ones: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and
SSL_CERT_DIR. httpx reads them too, but without IPv6 addresses and networks in NO_PROXY, and its
errors do not name the variable.
"""

from __future__ import annotations

import os
import ssl
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from mcp_enrichment.contract.http import DEFAULT_PORTS
from mcp_enrichment.contract.pasted_text import strip_invisible, url_problem

SCHEMES = {
    "http": "http",
    "https": "https",
    "socks5": "socks5",
    "socks5h": "socks5h",
    "socks": "socks5",  # the name on desktops
}
"""The supported protocols of proxies, and their names in httpx."""


class InvalidNetworkSetting(ValueError):
    """A variable is invalid. The message names it, and not its value: it may contain a password."""


def proxy_for(url: str) -> str | None:
    """The proxy for the server; None without one. Raises `InvalidNetworkSetting`."""
    from urllib.request import getproxies  # noqa: PLC0415 (not needed at the start)

    parts = urlsplit(url)
    proxies = getproxies()  # on macOS and Windows also the settings of the system
    named = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = strip_invisible(proxies.get(named, ""))
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    if not proxy or _bypasses_proxy(parts.hostname or "", port, proxies.get("no", "")):
        return None
    return _usable(proxy, f"{named.upper()}_PROXY")


def trusted_certificates() -> ssl.SSLContext | bool:
    """The trusted certificates; True for the default ones of httpx. Raises
    `InvalidNetworkSetting`."""
    if file := strip_invisible(os.environ.get("SSL_CERT_FILE", "")):
        try:
            return ssl.create_default_context(cafile=file)
        except ssl.SSLError:
            raise InvalidNetworkSetting(
                "SSL_CERT_FILE names a file without certificates."
            ) from None
        except (OSError, ValueError):
            raise InvalidNetworkSetting(
                "SSL_CERT_FILE names a file that is missing or cannot be read."
            ) from None
    folders = strip_invisible(os.environ.get("SSL_CERT_DIR", ""))
    if folders and not any(Path(one).is_dir() for one in folders.split(os.pathsep)):
        raise InvalidNetworkSetting("SSL_CERT_DIR names a folder that is missing.")
    return ssl.create_default_context(capath=folders) if folders else True


def _usable(proxy: str, variable: str) -> str:
    whole = proxy if "://" in proxy else f"http://{proxy}"
    scheme, _, rest = whole.partition("://")
    if url_problem(proxy):
        raise InvalidNetworkSetting(f"{variable} holds a placeholder that was not filled in.")
    if scheme.lower() not in SCHEMES:
        raise InvalidNetworkSetting(
            f"{variable} names a proxy of a kind that cannot be used: http, https and socks5 can."
        )
    if not _has_host(whole):
        raise InvalidNetworkSetting(f"{variable} is not the URL of a proxy: http://host:port.")
    return f"{SCHEMES[scheme.lower()]}://{rest}"


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and not set(parts.netloc) & set(" \t\\")
    except ValueError:
        return False


def _bypasses_proxy(host: str, port: int | None, listed: str) -> bool:
    """Whether NO_PROXY contains the server: its name, domain, address, network, or `*`, each with
    or without a port."""
    for entry in listed.replace(",", " ").split():
        scheme_less = entry.rpartition("://")[2]
        named, its_port = _split(scheme_less.lower())
        if its_port in (None, port) and _covers(named, host.lower().rstrip(".")):
            return True
    return False


def _split(entry: str) -> tuple[str, int | None]:
    """The host and the port of an entry. An IPv6 address may be in brackets."""
    named, _, port = entry.rpartition(":")
    if not port.isdecimal() or not named or (":" in named and not named.endswith("]")):
        named, port = entry, ""
    return named.replace("[", "").replace("]", ""), int(port) if port else None


def _covers(entry: str, host: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:  # one of them is a name
        domain = entry.lstrip("*").strip(".")
        in_domain = bool(domain) and (host == domain or host.endswith(f".{domain}"))
        return in_domain or fnmatchcase(host, entry)
