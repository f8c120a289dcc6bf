"""Hashes and authentication codes over several texts.

Each text is prefixed with its length, so that no two lists of texts give the same input.
"""

from __future__ import annotations

import hashlib
import hmac


def sha256_of(*parts: str) -> str:
    """The SHA-256 in hex."""
    return hashlib.sha256(_joined(parts)).hexdigest()


def mac_of(key: bytes, *parts: str, size: int) -> bytes:
    """The first `size` bytes of the HMAC-SHA-256."""
    return hmac.new(key, _joined(parts), hashlib.sha256).digest()[:size]


def _joined(parts: tuple[str, ...]) -> bytes:
    return "".join(f"{len(part)}:{part}" for part in parts).encode()
