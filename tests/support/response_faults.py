"""Faults of a server that do not depend on the request, for tables of faults."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from tests.support.contract_server import HTML
from tests.support.scripted_server import breaks_off, hangs, replies, resets

if TYPE_CHECKING:
    from tests.support.scripted_server import Behaviour

BOMB = gzip.compress(bytes(10_000_000))
PACKED = {"content-encoding": "gzip"}

NO_ANSWER: dict[str, Behaviour] = {
    "reset": resets(),
    "closed without a word": breaks_off(b""),
    "half an answer": breaks_off(),
    "no HTTP": breaks_off(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "no answer": hangs(),
    "500": replies(500, HTML),
    "502": replies(502, HTML),
    "504": replies(504, HTML),
}
"""The request has arrived, and its outcome is unknown."""
