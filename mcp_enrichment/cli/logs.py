"""Structured logs: one JSON object a line, on stderr."""

from __future__ import annotations

import json
import logging
import traceback
from typing import TYPE_CHECKING

from mcp_enrichment.cli.stderr import make_nonblocking
from mcp_enrichment.service.http.middleware import current_request_id

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings


REPEAT_SECONDS = 60.0
"""Seconds."""


class JsonFormatter(logging.Formatter):
    """A record as JSON: its time, level, logger and message, and the fields it was given."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_request_id.get():
            line["request_id"] = request_id
        if record.exc_info and record.exc_info[0]:
            # An exception's own text may quote data; its kind and its place do not.
            line["exception"] = record.exc_info[0].__name__
            line["where"] = "".join(traceback.format_tb(record.exc_info[2]))
        return json.dumps(line | getattr(record, "fields", {}))


class RepeatFilter(logging.Filter):
    """Lets the same sentence through once a minute: what outsiders cause may not fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        sentence = str(record.msg).partition("\n")[0]
        if record.created - self._last.get(sentence, 0.0) < REPEAT_SECONDS:
            return False
        self._last[sentence] = record.created
        return True


def configure_json_logs(chosen: Settings) -> None:
    """Our own logs at the chosen level, and of libraries only warnings."""
    make_nonblocking()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler])
    logging.getLogger("mcp_enrichment").setLevel(chosen.log_level)
    # Failed accepts, what is no HTTP, wrong tokens, and what was meant for another server.
    ours = ("mcp_enrichment.mcp.http.allowed_hosts", "mcp_enrichment.mcp.http.auth.access_tokens")
    for outsiders in ("asyncio", "uvicorn.error", *ours):
        logging.getLogger(outsiders).addFilter(RepeatFilter())
