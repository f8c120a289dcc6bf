"""The policy for callback URLs: public addresses only, unless an operator allows others."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import idna

from mcp_enrichment.contract.errors import CallbackRefused
from mcp_enrichment.contract.explanation import NOTHING_DONE, Explanation
from mcp_enrichment.contract.http import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL = 2048
_NEVER_IN_A_URL = re.compile(r"[\s\x00-\x1f\x7f\\]")
_LOCAL_NAMES = re.compile(r"[^.]+|(.*\.)?(localhost|local|internal|localdomain|home\.arpa)")
"""Names of the local network. A name without a dot is one: the resolver may add a local domain."""
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
"""A label of a host name. RFC 1123 has no underscores, but they are resolved."""
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
MAX_NAME = 253
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carriers' NAT, RFC 6598
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "168.63.129.16/32",  # a cloud's host agent, on an address that looks public
        "2001::/23",  # Teredo and other protocol assignments, RFC 2928
        "2002::/16",  # 6to4, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
    )
]
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")


def is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if mapped := address.ipv4_mapped:
            return is_public(mapped)
        if address not in _GLOBAL_UNICAST_V6:
            return False
    listed = any(address.version == n.version and address in n for n in _NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not listed


@dataclass(frozen=True, kw_only=True, slots=True)
class CallbackURLPolicy:
    """The networks and ports that an operator allows."""

    networks: Sequence[Network] = ()
    """Networks that callbacks may reach although they are not public."""
    ports: Collection[int] = (80, 443)

    def allows(self, address: Address) -> bool:
        listed = any(address.version == n.version and address in n for n in self.networks)
        return listed or is_public(address)

    def check_url(self, url: str) -> None:
        """Raise `CallbackRefused` for what the URL shows. A name is checked once it is resolved."""
        parts = _parts_of(url)
        try:
            host = _host_of(parts)
            address = _literal(host, bracketed=parts.netloc.startswith("["))
        except (OSError, ValueError) as error:
            raise _refused("has a host that is neither a name nor an address") from error
        port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
        if port not in self.ports:
            raise _refused(f"uses another port than {', '.join(map(str, sorted(self.ports)))}")
        # With allowed networks, a local name is checked once it is resolved.
        if address is None and _LOCAL_NAMES.fullmatch(host) and not self.networks:
            raise _refused("names a host of the local network")
        if address is not None and not self.allows(address):
            raise _refused("points to an address that is not public")


def _parts_of(url: str) -> SplitResult:
    if len(url) > MAX_URL or _NEVER_IN_A_URL.search(url):
        raise _refused(f"is longer than {MAX_URL} characters, or holds spaces or controls")
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a wrong port
    except ValueError as error:
        raise _refused("is not a URL") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise _refused("is not an http or https URL")
    if "@" in parts.netloc:
        raise _refused("holds a user name or password")
    return parts


def _host_of(parts: SplitResult) -> str:
    """The host as it is resolved: ASCII, in lower case. Raises `ValueError` if there is none."""
    host = parts.hostname or ""
    return (host if host.isascii() else idna.encode(host).decode()).removesuffix(".")


def _literal(host: str, *, bracketed: bool) -> Address | None:
    """The host as an address; None for a name. Raises `OSError` or `ValueError` for neither.

    Numbers are read as resolvers do: decimal, octal and hex, in one to four parts.
    """
    if bracketed:
        return IPv6Address(host if "%" not in host else "")  # a zone is local to a machine
    if _NUMERIC.fullmatch(host):
        return IPv4Address(socket.inet_aton(host))
    labels = host.split(".")
    if len(host) > MAX_NAME or _NUMBER.fullmatch(labels[-1]):
        raise ValueError
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise ValueError
        if label.startswith("xn--"):
            idna.ulabel(label)  # raises for one that no name has
    return None


def _refused(what: str) -> CallbackRefused:
    return CallbackRefused(
        Explanation(
            happened=f"The callback_url {what}.",
            money=NOTHING_DONE,
            for_person="Pass a public https URL, or leave it out and wait for the answer instead.",
        )
    )
