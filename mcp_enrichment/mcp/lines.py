"""Bytes to lines, whatever comes: the memory that one line can take is bounded."""

from __future__ import annotations

import logging
from collections import deque

logger = logging.getLogger(__name__)

LONGEST = 4 * 1024 * 1024
"""Bytes of a line at most, as of a body over HTTP in the SDK; a longer one is dropped."""


class Lines:
    """Takes bytes as they come, and gives the lines that are whole."""

    def __init__(self) -> None:
        self._whole: deque[bytes] = deque()
        self._last = bytearray()
        self._is_too_long = False

    def __bool__(self) -> bool:
        """Whether a line is whole."""
        return bool(self._whole)

    def pop(self) -> bytes:
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
        if self._is_too_long:
            logger.warning("a line of more than %d bytes was dropped", LONGEST)
        elif self._last:
            self._whole.append(bytes(self._last))
        self._last.clear()
        self._is_too_long = False

    def _add(self, piece: bytes) -> None:
        if len(self._last) + len(piece) > LONGEST:
            self._last.clear()
            self._is_too_long = True
        if not self._is_too_long:
            self._last += piece
