"""What an API key may look like: it travels in a header."""

from __future__ import annotations

import re

from mcp_enrichment.contract.placeholders import secret_problem

API_KEY_FORMAT = re.compile(r"[\x21-\x7e]+")
"""Visible ASCII: no space, no line break, nothing that a header could not carry."""


def api_key_problem(key: str) -> str | None:
    """A sentence on what keeps this from being an API key; None where nothing does."""
    if fault := secret_problem(key):
        return f"The API key is none: {fault}."
    if not API_KEY_FORMAT.fullmatch(key):
        return "The API key holds a space, a line break or another character that no key has."
    return None
