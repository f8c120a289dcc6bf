"""The committed JSON of each tool. `python -m tests.mcp.rewrite_snapshots` rewrites it."""

from __future__ import annotations

import json
from pathlib import Path

from mcp_enrichment.mcp.tools import TOOLS, Tool

FOLDER = Path(__file__).with_name("snapshots")


def snapshot(tool: Tool) -> str:
    """The tool as `tools/list` shows it, laid out for people to read in a diff."""
    shown = tool.to_mcp().model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def committed(name: str) -> Path:
    return FOLDER / f"{name}.json"


def rewrite() -> None:
    """Rewrite the committed files from the tools as they are now."""
    for tool in TOOLS:
        committed(tool.name).write_text(snapshot(tool), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
