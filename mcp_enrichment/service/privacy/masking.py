"""Addresses as they are shown before a person asks for them."""

from __future__ import annotations


def masked_address(email: str) -> str:
    """The address with one letter before the @, which only a person who knows it recognises."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}***@{domain}"
