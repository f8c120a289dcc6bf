"""What an API key may look like: it travels in a header."""

from __future__ import annotations

import re

from mcp_enrichment.contract.unfilled import fault_of_secret

KEY_FORM = re.compile(r"[\x21-\x7e]+")
"""Visible ASCII: no space, no line break, nothing that a header could not carry."""


def fault_of_key(key: str) -> str | None:
    """A sentence on what keeps this from being an API key; None where nothing does."""
    if fault := fault_of_secret(key):
        return f"The API key is none: {fault}."
    if not KEY_FORM.fullmatch(key):
        return "The API key holds a space, a line break or another character that no key has."
    return None
