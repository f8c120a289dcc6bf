"""The format of an API key, which is sent in an HTTP header."""

from __future__ import annotations

import re

from mcp_enrichment.contract.placeholders import secret_problem

API_KEY_FORMAT = re.compile(r"[\x21-\x7e]+")
"""Visible ASCII characters."""


def api_key_problem(key: str) -> str | None:
    """A sentence about why this cannot be an API key, or None."""
    if problem := secret_problem(key):
        return f"The API key is none: {problem}."
    if not API_KEY_FORMAT.fullmatch(key):
        return "The API key holds a space, a line break or another character that no key has."
    return None
