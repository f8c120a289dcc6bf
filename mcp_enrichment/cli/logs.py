"""The logs of a process on stderr: plain lines on stdio, one JSON object a line in services."""

from __future__ import annotations

import json
import logging
import traceback
from typing import TYPE_CHECKING

from mcp_enrichment.cli.stderr import make_nonblocking

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

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
        from mcp_enrichment.service.http.middleware import current_request_id

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
