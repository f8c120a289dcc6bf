"""The logs of a process: plain lines on stdio, one JSON object a line in services; never blocking.

A chat client may open a pipe for stderr and not read it. A pipe holds 64 KiB. A write to a full
pipe blocks, and would stop the event loop. So a thread writes to stderr; if nobody reads it, lines
are dropped and counted. The descriptor stays blocking, as other processes share it.
"""

from __future__ import annotations

import atexit
import io
import json
import logging
import os
import select
import sys
import threading
import traceback
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from mcp_enrichment.settings import Settings


logger = logging.getLogger(__name__)
logger.setLevel(logging.WARNING)  # dropped lines are reported at every log level

MAX_QUEUED = 10_000
"""Lines. Further ones are dropped."""
DRAIN_SECONDS = 0.3
"""Seconds that the process waits at its end for the last lines to be written."""
REPEAT_SECONDS = 60.0
"""The interval in which a filtered message is logged once."""
CAUSED_BY_CALLERS = (
    "asyncio",
    "uvicorn.error",
    "mcp_enrichment.mcp.http.allowed_hosts",
    "mcp_enrichment.mcp.http.auth.access_tokens",
)
"""Loggers whose messages any caller can cause: failed accepts, invalid HTTP, wrong hosts and
tokens."""


class JsonFormatter(logging.Formatter):
    """A record as a JSON object: time, level, logger, message and its extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        from mcp_enrichment.service.http.service_app import current_request_id

        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_request_id.get():
            line["request_id"] = request_id
        if record.exc_info and record.exc_info[0]:
            # The text of an exception may contain data. Its type and its traceback do not.
            line["exception"] = record.exc_info[0].__name__
            line["where"] = "".join(traceback.format_tb(record.exc_info[2]))
        return json.dumps(line | getattr(record, "fields", {}))


class RepeatFilter(logging.Filter):
    """Logs each message at most once in `REPEAT_SECONDS`, so that callers cannot fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        message = str(record.msg).partition("\n")[0]
        if record.created - self._last.get(message, 0.0) < REPEAT_SECONDS:
            return False
        self._last[message] = record.created
        return True


def configure_logs(settings: Settings) -> None:
    """Log plain lines: ours at the set level, those of libraries from WARNING, as the rest contains
    data."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mcp_enrichment").setLevel(settings.log_level)


def configure_json_logs(settings: Settings) -> None:
    """Log JSON lines: ours at the set level, those of libraries from WARNING."""
    make_nonblocking()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler])
    logging.getLogger("mcp_enrichment").setLevel(settings.log_level)
    for name in CAUSED_BY_CALLERS:
        logging.getLogger(name).addFilter(RepeatFilter())


class LineQueue(io.BufferedIOBase):
    """Queues lines without blocking. A thread writes them to the descriptor.

    It replaces `sys.stderr`, for logs, warnings and tracebacks.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        # The only queue of the standard library that a finalizer may use at any time.
        self._waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._dropped = 0
        self._lock = threading.RLock()
        threading.Thread(target=self._keep_writing, name="stderr", daemon=True).start()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, line: ReadableBuffer, /) -> int:
        """Queue the line, or drop it if the queue is full."""
        text = bytes(line)
        if self._waiting.qsize() < MAX_QUEUED:
            self._waiting.put(text)
        else:
            with self._lock:
                self._dropped += 1
        return len(text)

    def drain(self, seconds: float) -> bool:
        """Wait until all lines are written, at most so many seconds. Return whether they are."""
        is_written = threading.Event()
        self._waiting.put(is_written)
        return is_written.wait(seconds)

    def _keep_writing(self) -> None:
        while True:
            line = self._waiting.get()
            if isinstance(line, threading.Event):
                line.set()
            else:
                with suppress(OSError):  # the reader is gone
                    _write(self._fd, line)
            if self._waiting.empty():
                self._report_dropped()

    def _report_dropped(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            logger.warning("%d lines were dropped here, as nobody was reading stderr", dropped)


def _write(fd: int, line: bytes) -> None:
    while line:
        try:
            line = line[os.write(fd, line) :]
        except BlockingIOError:  # another process has made the shared pipe non-blocking
            select.select([], [fd], [])


def make_nonblocking() -> None:
    """Replace `sys.stderr` by such a stream, once for this process."""
    global _queue  # noqa: PLW0603 (there is one stderr)
    if sys.stderr is None or _queue:
        return
    _queue = LineQueue(sys.stderr.fileno())
    sys.stderr = io.TextIOWrapper(
        _queue, encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    atexit.register(drain)


def drain() -> None:
    """Write the queued lines before the process ends, for at most `DRAIN_SECONDS`."""
    if _queue and _queue.drain(DRAIN_SECONDS):
        sys.stderr = sys.__stderr__  # the thread does not outlive the interpreter


_queue: LineQueue | None = None
