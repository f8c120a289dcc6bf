"""The findings of the conformance suite, compared with the known failures and their reasons."""

from __future__ import annotations

import json
import re
from pathlib import Path

BASELINES = Path(__file__).parent / "conformance"
LINE = re.compile(r"  - (?P<check>[\w.-]+:[\w.-]+) # (?P<reason>\S.+)")
"""A scenario, one check of it, and why it fails. The suite reads these files too."""
FAILED = {"FAILURE", "WARNING"}


def found(results: Path) -> set[str]:
    """Each check that failed or warned, as `scenario:check`."""
    failed = set()
    for report in results.glob("server-*/checks.json"):
        scenario = re.sub(r"^server-(.+)-\d{4}-\d\d-\d\dT.*$", r"\1", report.parent.name)
        checks = json.loads(report.read_text("utf-8"))
        failed |= {f"{scenario}:{one['id']}" for one in checks if one["status"] in FAILED}
    return failed


def listed(baseline: Path) -> set[str]:
    """Each check that the file lists."""
    return {entry["check"] for entry in map(LINE.fullmatch, _lines(baseline)) if entry}


def strike(baseline: Path, passing: set[str]) -> None:
    """Remove the checks that pass now from the file."""
    kept = [line for line in _lines(baseline) if not _is_of(line, passing)]
    baseline.write_text("\n".join(kept) + "\n", "utf-8")


def _is_of(line: str, checks: set[str]) -> bool:
    entry = LINE.fullmatch(line)
    return entry is not None and entry["check"] in checks


def _lines(baseline: Path) -> list[str]:
    return baseline.read_text("utf-8").splitlines()
