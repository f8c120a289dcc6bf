"""What an API key may look like: it travels in a header."""

from __future__ import annotations

import re

KEY_FORM = re.compile(r"[\x21-\x7e]+")
"""Visible ASCII: no space, no line break, nothing that a header could not carry."""
