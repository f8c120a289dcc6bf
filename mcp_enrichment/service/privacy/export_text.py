"""The export of a person as a text to read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any


def export_text(exported: dict[str, Any]) -> str:
    """JSON with ISO 8601 texts, in UTC, in place of seconds since the epoch."""
    return json.dumps(_with_dates(exported), indent=2, ensure_ascii=False)


def _with_dates(exported: Any, name: str = "") -> Any:
    if isinstance(exported, dict):
        return {key: _with_dates(value, key) for key, value in exported.items()}
    if isinstance(exported, list):
        return [_with_dates(each) for each in exported]
    if isinstance(exported, float) and name.rpartition("_")[2] == "at":
        return f"{datetime.fromtimestamp(exported, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return exported
