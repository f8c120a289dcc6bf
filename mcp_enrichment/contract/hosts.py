"""Which hosts are this machine, and which ports a URL means that names none."""

from __future__ import annotations

from ipaddress import ip_address

DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on that address, or bears that name."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
