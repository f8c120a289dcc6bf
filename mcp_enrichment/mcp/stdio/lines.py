"""Splits bytes into lines. The memory for one line is bounded."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

from mcp_enrichment.mcp.jsonrpc_ids import HEAD

logger = logging.getLogger(__name__)

MAX_LINE = 4 * 1024 * 1024
"""Bytes. Only the two ends of a longer line are kept."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The two ends of a line that was too long. One of them may contain the id."""

    head: bytes
    tail: bytes


class LineBuffer:
    """Takes bytes and returns complete lines."""

    def __init__(self) -> None:
        self._complete: deque[bytes | TooLong] = deque()
        self._current = bytearray()
        self._head: bytes | None = None

    def __bool__(self) -> bool:
        """Whether a line is complete."""
        return bool(self._complete)

    def pop(self) -> bytes | TooLong:
        """Remove and return the oldest complete line, without its line break."""
        return self._complete.popleft()

    def feed(self, chunk: bytes) -> None:
        """Add bytes."""
        first, *others = chunk.split(b"\n")
        self._add(first)
        for piece in others:
            self.end()
            self._add(piece)

    def end(self) -> None:
        """Complete the current line, if it is not empty."""
        if self._head is not None:
            logger.warning("a line of more than %d bytes was refused", MAX_LINE)
            self._complete.append(TooLong(self._head, bytes(self._current[-HEAD:])))
        elif self._current:
            self._complete.append(bytes(self._current))
        self._current.clear()
        self._head = None

    def _add(self, piece: bytes) -> None:
        self._current += piece
        if len(self._current) > MAX_LINE:
            if self._head is None:
                self._head = bytes(self._current[:HEAD])
            del self._current[:-HEAD]
