"""Bytes to lines, whatever comes: the memory that one line can take is bounded."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

from mcp_enrichment.mcp.jsonrpc_ids import HEAD

logger = logging.getLogger(__name__)

MAX_LINE = 4 * 1024 * 1024
"""Bytes of a line at most, as of a body over HTTP in the SDK; only the ends of a longer one are
kept."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The ends of a line that was longer, where its id may stand."""

    head: bytes
    tail: bytes


class LineBuffer:
    """Takes bytes as they come, and gives the lines that are whole."""

    def __init__(self) -> None:
        self._whole: deque[bytes | TooLong] = deque()
        self._last = bytearray()
        self._head: bytes | None = None

    def __bool__(self) -> bool:
        """Whether a line is whole."""
        return bool(self._whole)

    def pop(self) -> bytes | TooLong:
        """The oldest whole line, without its end."""
        return self._whole.popleft()

    def feed(self, chunk: bytes) -> None:
        """Add what was read."""
        first, *others = chunk.split(b"\n")
        self._add(first)
        for piece in others:
            self.end()
            self._add(piece)

    def end(self) -> None:
        """Take what has come since the last line's end, if anything has, for a line."""
        if self._head is not None:
            logger.warning("a line of more than %d bytes was refused", MAX_LINE)
            self._whole.append(TooLong(self._head, bytes(self._last[-HEAD:])))
        elif self._last:
            self._whole.append(bytes(self._last))
        self._last.clear()
        self._head = None

    def _add(self, piece: bytes) -> None:
        self._last += piece
        if len(self._last) > MAX_LINE:
            if self._head is None:
                self._head = bytes(self._last[:HEAD])
            del self._last[:-HEAD]
